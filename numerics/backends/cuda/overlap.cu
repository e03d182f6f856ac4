// The overlap form, one replica per block: overlaps M_mu = sum_i xi_i s_i are kept, N J is never formed.  Each warp finds
// the field of one site, sum_mu xi_i M_mu - P s_i, from the site's pattern bits; a flip costs O(P).  Overlaps and bits
// are padded to whole words; overlaps beyond P stay zero.
#include "block.cuh"
#include "laws.cuh"
#include "shuffle.cuh"

#define RANDOM 0
#define SEQUENTIAL 1
#define GREEDY 2
#define SYNCHRONOUS 3

struct Control {
    unsigned long long size;
    int slots[3];
    int lowest;
};

struct Overlap {
    const unsigned* bits;
    int words, P;  // words of 32 patterns per site
    signed char* spins;
    int* overlaps;

    // All lanes of a warp together, for one site.
    __device__ long long field(int site) const {
        const int lane = threadIdx.x & 31;
        long long sum = 0ll;
        for (int k = 0; 32 * k < P; ++k) {
            const int overlap = overlaps[32 * k + lane];
            sum += (bits[(size_t)site * words + k] >> lane) & 1u ? overlap : -overlap;
        }
        for (int apart = 16; apart > 0; apart >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, apart);
        return sum - (long long)P * spins[site];
    }

    // All threads of the block together: the overlaps after spin `old` of `site` turned.
    __device__ void turn(int site, int old) {
        for (int mu = threadIdx.x; mu < P; mu += blockDim.x)
            overlaps[mu] += (bits[(size_t)site * words + (mu >> 5)] >> (mu & 31)) & 1u ? -2 * old : 2 * old;
    }
};

__device__ __forceinline__ bool unstable(int spin, long long field, int tie) {
    return spin > 0 ? field < 0 : (field > 0 || (tie == PLUS && field == 0));
}

// Overlaps of replica r = blockIdx.x; `out` (R, 32 words).
extern "C" __global__ void overlaps_of(const unsigned* bits, int words, int P, int N, const signed char* spins,
                                       int* out) {
    const size_t r = blockIdx.x;
    for (int mu = threadIdx.x; mu < 32 * words; mu += blockDim.x) {
        int sum = 0;
        for (int i = 0; i < N && mu < P; ++i)
            sum += (bits[(size_t)i * words + (mu >> 5)] >> (mu & 31)) & 1u ? spins[r * N + i] : -spins[r * N + i];
        out[r * 32 * words + mu] = sum;
    }
}

// Puts the overlaps of replica r in shared memory if asked to; ends without a barrier.
__device__ Overlap replica_of(const unsigned* bits, int words, int P, int N, signed char* spins, int* overlaps,
                              int near) {
    const size_t r = blockIdx.x;
    Overlap replica = {bits, words, P, spins + r * N, overlaps + r * 32 * words};
    if (near) {
        int* own = reinterpret_cast<int*>(shared + 32);
        for (int mu = threadIdx.x; mu < 32 * words; mu += blockDim.x) own[mu] = replica.overlaps[mu];
        replica.overlaps = own;
    }
    return replica;
}

// Visits all places of one sweep in turn, `blockDim.x / 32` at a time; Wants(site, spin, field) is the law.
template <class Wants>
__device__ long long visit(Overlap& replica, Search& search, int N, const int* order, Wants wants) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    long long flips = 0;
    for (int place = 0; place < N;) {
        bool mine = false;
        int spin = 1;
        if (place + warp < N) {
            const int site = order ? order[place + warp] : place + warp;
            spin = replica.spins[site];
            mine = wants(site, spin, replica.field(site)) && lane == 0;
        }
        const int found = first_of(search, mine, warp, spin);
        if (found == 0x7fffffff) {
            place += blockDim.x >> 5;
            continue;
        }
        place += found >> 1;
        const int site = order ? order[place] : place, old = found & 1 ? 1 : -1;
        replica.turn(site, old);
        if (threadIdx.x == 0) replica.spins[site] = (signed char)-old;
        ++place;
        ++flips;
        __syncthreads();
    }
    return flips;
}

struct Unstable {
    int tie;
    __device__ bool operator()(int, int spin, long long field) const { return unstable(spin, field, tie); }
};

struct Drawn {
    const unsigned* key;
    unsigned sweep;
    double scale;
    int law;
    __device__ bool operator()(int site, int spin, long long field) const {
        return turns(spin, field, threshold(key, sweep, site, scale, law), law);
    }
};

// The unstable spin in the largest field, the lowest of several; -1 if there is none.
__device__ int steepest(Overlap& replica, Control* control, int N, int tie) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    if (threadIdx.x == 0) {
        control->size = 0ull;
        control->lowest = 0x7fffffff;
    }
    __syncthreads();
    unsigned long long largest = 0ull;  // 1 + |H|
    int lowest = 0x7fffffff;
    for (int i = warp; i < N; i += blockDim.x >> 5) {
        const long long field = replica.field(i);
        const unsigned long long size = 1ull + (unsigned long long)(field < 0 ? -field : field);
        if (unstable(replica.spins[i], field, tie) && size > largest) {
            largest = size;
            lowest = i;
        }
    }
    if (lane == 0) atomicMax(&control->size, largest);
    __syncthreads();
    if (lane == 0 && largest != 0ull && largest == control->size) atomicMin(&control->lowest, lowest);
    __syncthreads();
    const int found = control->lowest;
    __syncthreads();
    return found == 0x7fffffff ? -1 : found;
}

// All unstable spins at once; `turned` (N,) holds who turned before, and then who turned now.
__device__ int turn_all(Overlap& replica, int* turned, int N, int tie, bool& same) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int differs = 0, moved = 0;
    for (int i = warp; i < N; i += blockDim.x >> 5) {
        const int turn = unstable(replica.spins[i], replica.field(i), tie);
        if (lane == 0) {
            differs |= turn != turned[i];
            turned[i] = turn;
        }
    }
    same = !__syncthreads_or(differs);
    for (int i = 0; i < N; ++i)
        if (turned[i]) {
            ++moved;
            replica.turn(i, replica.spins[i]);
        }
    __syncthreads();
    for (int i = threadIdx.x; i < N; i += blockDim.x)
        if (turned[i]) replica.spins[i] = (signed char)-replica.spins[i];
    __syncthreads();
    return moved;
}

extern "C" __global__ void quench_overlap(const unsigned* bits, int words, int P, int N, signed char* spins,
                                          int* overlaps, int near, const unsigned* keys, int order, int tie,
                                          int max_sweeps, int* workspace, long long* sweeps_out, long long* flips_out,
                                          int* period_out) {
    const size_t r = blockIdx.x;
    Control* control = reinterpret_cast<Control*>(shared);
    Overlap replica = replica_of(bits, words, P, N, spins, overlaps, near);
    int* visits = workspace + 3 * r * N;
    for (int i = threadIdx.x; order == SYNCHRONOUS && i < N; i += blockDim.x) visits[i] = 0;
    Search search = new_search(control->slots);
    __syncthreads();
    long long sweeps = -1, flips = 0;
    int period = 1;
    if (order == GREEDY) {
        while (true) {
            const int site = steepest(replica, control, N, tie);
            if (site < 0) {
                sweeps = flips == 0 ? 1 : (flips + N - 1) / N;
                break;
            }
            if (flips == (long long)N * max_sweeps) break;
            ++flips;
            const int old = replica.spins[site];
            replica.turn(site, old);
            __syncthreads();
            if (threadIdx.x == 0) replica.spins[site] = (signed char)-old;
            __syncthreads();
        }
    } else {
        for (int sweep = 0; sweep < max_sweeps; ++sweep) {
            long long moved;
            bool same = false;
            if (order == SYNCHRONOUS) {
                moved = turn_all(replica, visits, N, tie, same);
            } else {
                if (order == RANDOM) shuffle(keys + 3 * r, (unsigned)sweep, N, visits, visits + N, visits + 2 * (size_t)N);
                const Unstable law = {tie};
                moved = visit(replica, search, N, order == RANDOM ? visits : (const int*)nullptr, law);
            }
            flips += moved;
            if (moved == 0 || same) {
                sweeps = sweep + 1;
                period = moved == 0 ? 1 : 2;
                break;
            }
        }
    }
    if (threadIdx.x == 0) {
        sweeps_out[r] = sweeps;
        flips_out[r] = flips;
        period_out[r] = sweeps < 0 ? 0 : period;
    }
}

extern "C" __global__ void sample_overlap(const unsigned* bits, int words, int P, int N, signed char* spins,
                                          int* overlaps, int near, const unsigned* keys, const double* scales, int law,
                                          unsigned first_sweep, int sweeps, long long* accepted) {
    const size_t r = blockIdx.x;
    Overlap replica = replica_of(bits, words, P, N, spins, overlaps, near);
    Search search = new_search(reinterpret_cast<Control*>(shared)->slots);
    __syncthreads();
    long long moves = 0;
    for (int sweep = 0; sweep < sweeps; ++sweep) {
        const Drawn drawn = {keys + 3 * r, first_sweep + (unsigned)sweep, scales[r], law};
        moves += visit(replica, search, N, (const int*)nullptr, drawn);
    }
    if (near)
        for (int mu = threadIdx.x; mu < P; mu += blockDim.x) overlaps[r * 32 * words + mu] = replica.overlaps[mu];
    if (threadIdx.x == 0) accepted[r] = moves;
}

// sum_i s_i H_i = sum_mu M_mu^2 - N P of replica r.
extern "C" __global__ void alignment_overlap(const int* overlaps, int words, int P, int N, long long* out) {
    const size_t r = blockIdx.x;
    unsigned long long* total = reinterpret_cast<unsigned long long*>(shared);
    if (threadIdx.x == 0) *total = 0ull;
    __syncthreads();
    long long sum = 0ll;
    for (int mu = threadIdx.x; mu < P; mu += blockDim.x)
        sum += (long long)overlaps[r * 32 * words + mu] * overlaps[r * 32 * words + mu];
    atomicAdd(total, (unsigned long long)sum);
    __syncthreads();
    if (threadIdx.x == 0) out[r] = (long long)*total - (long long)N * P;
}
