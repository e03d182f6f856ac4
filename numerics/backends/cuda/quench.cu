// Zero-temperature dynamics of one replica per block: fields in shared memory, spins as bits, the next unstable spin
// found by warp ballots, its row of couplings streamed by the whole block.  Trajectories are those of
// numerics/kernels/quench.py, flip by flip.
#include "block.cuh"
#include "shuffle.cuh"

#define RANDOM 0
#define SEQUENTIAL 1
#define GREEDY 2
#define SYNCHRONOUS 3

// What is kept where: everything in shared memory; or only the fields, which make room there for the array that a
// shuffle writes at random, while order and picks are in global memory; or all but the bits in global memory.
#define ALL_SHARED 2
#define FIELDS_SHARED 1
#define ALL_GLOBAL 0

struct Control {
    unsigned long long size;
    int slots[3];
    int lowest;
};

template <class Field>
__device__ __forceinline__ bool unstable(int spin, Field field, int tie) {
    return spin > 0 ? field < 0 : (field > 0 || (tie == PLUS && field == 0));
}

// Between two barriers.
template <class Field>
__device__ __forceinline__ void copy(Field* to, const Field* from, int size) {
    __syncthreads();
    for (int j = threadIdx.x; j < size; j += blockDim.x) to[j] = from[j];
    __syncthreads();
}

template <class Row, class Field>
struct Replica {
    const Row* matrix;
    int N, pitch, parity, tie;
    unsigned* bits;
    Field* fields;
    Control* control;

    __device__ bool wants(int site) const { return unstable(spin_of(bits, site), fields[site], tie); }

    // All threads together; the caller has the spin's old value and barriers before and after.
    __device__ void flip(int site, int old) {
        if (threadIdx.x == 0) bits[site >> 5] ^= 1u << (site & 31);
        add_row(fields, matrix + (size_t)site * pitch, site, pitch, parity, -2 * old);
    }
};

// One sweep over the sites in `order` (0, 1, ... if null); returns the flips.
template <class Row, class Field>
__device__ long long visit(Replica<Row, Field>& replica, Search& search, const int* order) {
    long long flips = 0;
    for (int start = 0; start < replica.N; start += blockDim.x) {
        const int place = start + threadIdx.x;
        const int site = place >= replica.N ? -1 : order ? order[place] : place;
        int done = -1;  // threads up to this one have had their turn
        while (true) {
            const bool wants = site >= 0 && (int)threadIdx.x > done && replica.wants(site);
            const int found = first_of(search, wants, threadIdx.x, site >= 0 ? spin_of(replica.bits, site) : 1);
            if (found == 0x7fffffff) break;
            done = found >> 1;
            replica.flip(order ? order[start + done] : start + done, found & 1 ? 1 : -1);
            ++flips;
            __syncthreads();
        }
    }
    return flips;
}

// The unstable spin in the largest field, the lowest of several; -1 if there is none.
template <class Row, class Field>
__device__ int steepest(Replica<Row, Field>& replica) {
    if (threadIdx.x == 0) {
        replica.control->size = 0ull;
        replica.control->lowest = 0x7fffffff;
    }
    __syncthreads();
    unsigned long long largest = 0ull;  // 1 + |H|
    int lowest = 0x7fffffff;
    for (int i = threadIdx.x; i < replica.N; i += blockDim.x) {
        if (!replica.wants(i)) continue;
        const long long field = replica.fields[i];
        const unsigned long long size = 1ull + (unsigned long long)(field < 0 ? -field : field);
        if (size > largest) {
            largest = size;
            lowest = i;
        }
    }
    atomicMax(&replica.control->size, largest);
    __syncthreads();
    if (largest != 0ull && largest == replica.control->size) atomicMin(&replica.control->lowest, lowest);
    __syncthreads();
    const int found = replica.control->lowest;
    __syncthreads();
    return found == 0x7fffffff ? -1 : found;
}

// All unstable spins at once; returns how many, and whether they are those of the sweep before (`turned`).
template <class Row, class Field>
__device__ int turn_all(Replica<Row, Field>& replica, unsigned* turned, bool& same) {
    const int words = (replica.N + 31) / 32;
    int differs = 0, moved = 0;
    for (int w = threadIdx.x; w < words; w += blockDim.x) {
        unsigned turn = 0u;
        for (int b = 0; b < 32 && 32 * w + b < replica.N; ++b) turn |= (unsigned)replica.wants(32 * w + b) << b;
        differs |= turn != turned[w];
        turned[w] = turn;
    }
    same = !__syncthreads_or(differs);
    for (int w = 0; w < words; ++w) {
        const unsigned turn = turned[w];
        moved += __popc(turn);
        for (unsigned rest = turn; rest != 0u; rest &= rest - 1u) {
            const int site = 32 * w + __ffs(rest) - 1;
            add_row(replica.fields, replica.matrix + (size_t)site * replica.pitch, site, replica.pitch, replica.parity,
                    -2 * spin_of(replica.bits, site));
        }
    }
    __syncthreads();
    for (int w = threadIdx.x; w < words; w += blockDim.x) replica.bits[w] ^= turned[w];
    __syncthreads();
    return moved;
}

template <class Row, class Field>
__device__ void quench(const Row* matrix, int N, int pitch, int parity, signed char* spins, Field* fields,
                       const unsigned* keys, int order, int tie, int max_sweeps, int* workspace, int layout,
                       long long* sweeps_out, long long* flips_out, int* period_out) {
    const size_t r = blockIdx.x;
    Control* control = reinterpret_cast<Control*>(shared);
    unsigned* bits = reinterpret_cast<unsigned*>(shared + 32);
    unsigned* turned = bits + (N + 31) / 32;  // used by the synchronous order only
    int* arrays = reinterpret_cast<int*>(shared + 32 + 16 * (((N + 31) / 32 * 2 + 3) / 4));
    Field* own = fields + r * pitch;
    int* places = workspace + 3 * r * N;
    int *visits = places, *pick = places + N, *holder = places + 2 * (size_t)N;
    if (layout != ALL_GLOBAL) {
        Field* near = reinterpret_cast<Field*>(arrays);
        for (int j = threadIdx.x; j < pitch; j += blockDim.x) near[j] = own[j];
        own = near;
        holder = reinterpret_cast<int*>(near);
        if (layout == ALL_SHARED) {
            visits = reinterpret_cast<int*>(near + pitch);
            pick = visits + N;
            holder = pick + N;
        }
    }
    load_bits(bits, spins + r * pitch, N);
    for (int w = threadIdx.x; order == SYNCHRONOUS && w < (N + 31) / 32; w += blockDim.x) turned[w] = 0u;
    Search search = new_search(control->slots);
    __syncthreads();
    Replica<Row, Field> replica = {matrix, N, pitch, parity, tie, bits, own, control};
    long long sweeps = -1, flips = 0;
    int period = 0;
    if (order == GREEDY) {
        while (true) {
            const int site = steepest(replica);
            if (site < 0) {
                sweeps = flips == 0 ? 1 : (flips + N - 1) / N;
                break;
            }
            if (flips == (long long)N * max_sweeps) break;
            ++flips;
            const int old = spin_of(bits, site);
            __syncthreads();
            replica.flip(site, old);
            __syncthreads();
        }
    } else if (order == SYNCHRONOUS) {
        for (int sweep = 0; sweep < max_sweeps; ++sweep) {
            bool same;
            const int moved = turn_all(replica, turned, same);
            flips += moved;
            if (moved == 0 || same) {
                sweeps = sweep + 1;
                period = moved == 0 ? 1 : 2;
                break;
            }
        }
    } else {
        for (int sweep = 0; sweep < max_sweeps; ++sweep) {
            if (order == RANDOM) {
                if (layout == FIELDS_SHARED) copy(fields + r * pitch, own, pitch);
                shuffle(keys + 3 * r, (unsigned)sweep, N, visits, pick, holder);
                if (layout == FIELDS_SHARED) copy(own, fields + r * pitch, pitch);
            }
            const long long moved = visit(replica, search, order == RANDOM ? visits : (const int*)nullptr);
            flips += moved;
            if (moved == 0) {
                sweeps = sweep + 1;
                break;
            }
        }
    }
    __syncthreads();
    store_bits(bits, spins + r * pitch, N);
    if (threadIdx.x == 0) {
        sweeps_out[r] = sweeps;
        flips_out[r] = flips;
        period_out[r] = sweeps < 0 ? 0 : period == 2 ? 2 : 1;
    }
}

#define QUENCH(NAME, ROW, FIELD)                                                                                      \
    extern "C" __global__ void NAME(const ROW* matrix, int N, int pitch, int parity, signed char* spins, FIELD* fields, \
                                    const unsigned* keys, int order, int tie, int max_sweeps, int* workspace,        \
                                    int layout, long long* sweeps, long long* flips, int* period) {                  \
        quench<ROW, FIELD>(matrix, N, pitch, parity, spins, fields, keys, order, tie, max_sweeps, workspace, layout,  \
                           sweeps, flips, period);                                                                    \
    }

QUENCH(quench_int8_int32, signed char, int)
QUENCH(quench_int16_int32, short, int)
QUENCH(quench_int32_int32, int, int)
QUENCH(quench_int16_int64, short, long long)
QUENCH(quench_int32_int64, int, long long)
