// Sweeps at a temperature, one walker per block, with maintained fields in shared memory: for few walkers, and for cold
// ones, which seldom flip.  Thread t draws the threshold of site t of a stretch once; then the first site that turns is
// looked for, flipped, and the search goes on behind it.
#include "block.cuh"
#include "laws.cuh"

template <class Row, class Field>
__device__ void sample(const Row* matrix, int N, int pitch, int parity, signed char* spins, Field* fields,
                       const unsigned* keys, const double* scales, int law, unsigned first_sweep, int sweeps,
                       int fields_near, long long* accepted) {
    const size_t r = blockIdx.x;
    int* slots = reinterpret_cast<int*>(shared);
    unsigned* bits = reinterpret_cast<unsigned*>(shared + 16);
    Field* own = fields + r * pitch;
    if (fields_near) {
        own = reinterpret_cast<Field*>(shared + 16 + 16 * (((N + 31) / 32 + 3) / 4));
        for (int j = threadIdx.x; j < pitch; j += blockDim.x) own[j] = fields[r * pitch + j];
    }
    load_bits(bits, spins + r * pitch, N);
    Search search = new_search(slots);
    __syncthreads();
    long long moves = 0;
    for (int sweep = 0; sweep < sweeps; ++sweep) {
        for (int start = 0; start < N; start += blockDim.x) {
            const int site = start + threadIdx.x;
            const double limit =
                site < N ? threshold(keys + 3 * r, first_sweep + (unsigned)sweep, site, scales[r], law) : 0.0;
            int done = -1;
            while (true) {
                const int spin = site < N ? spin_of(bits, site) : 1;
                const bool wants = site < N && (int)threadIdx.x > done && turns(spin, own[site], limit, law);
                const int found = first_of(search, wants, threadIdx.x, spin);
                if (found == 0x7fffffff) break;
                done = found >> 1;
                const int chosen = start + done;
                if (threadIdx.x == 0) bits[chosen >> 5] ^= 1u << (chosen & 31);
                add_row(own, matrix + (size_t)chosen * pitch, chosen, pitch, parity, found & 1 ? -2 : 2);
                ++moves;
                __syncthreads();
            }
        }
    }
    __syncthreads();
    store_bits(bits, spins + r * pitch, N);
    if (fields_near)
        for (int j = threadIdx.x; j < pitch; j += blockDim.x) fields[r * pitch + j] = own[j];
    if (threadIdx.x == 0) accepted[r] = moves;
}

#define SAMPLE(NAME, ROW, FIELD)                                                                                      \
    extern "C" __global__ void NAME(const ROW* matrix, int N, int pitch, int parity, signed char* spins, FIELD* fields, \
                                    const unsigned* keys, const double* scales, int law, unsigned first_sweep,       \
                                    int sweeps, int fields_near, long long* accepted) {                              \
        sample<ROW, FIELD>(matrix, N, pitch, parity, spins, fields, keys, scales, law, first_sweep, sweeps,           \
                           fields_near, accepted);                                                                    \
    }

SAMPLE(sample_int8_int32, signed char, int)
SAMPLE(sample_int16_int32, short, int)
SAMPLE(sample_int32_int32, int, int)
SAMPLE(sample_int16_int64, short, long long)
SAMPLE(sample_int32_int64, int, long long)
