// Block-lazy sweeps of many walkers at a temperature: the fields of a block of consecutive sites come from one matrix
// product for all walkers; then lane t of every warp is walker t, all warps walk the block's sites together, and each
// keeps up its share of the fields that are still to come.  The trajectory is that of the sequential sweep.
#include "block.cuh"
#include "laws.cuh"

// Spins in the type of the matrix product: +-1 as int8, or as the bits of half precision.
__device__ __forceinline__ bool is_up(signed char spin) { return spin > 0; }
__device__ __forceinline__ bool is_up(unsigned short spin) { return spin == 0x3c00u; }
__device__ __forceinline__ void write(signed char* place, bool up) { *place = up ? 1 : -1; }
__device__ __forceinline__ void write(unsigned short* place, bool up) { *place = up ? 0x3c00u : 0xbc00u; }

// H = low + 256 high (`high` counts if planes = 2) for sites first .. first + count - 1: products (count, width).
template <class Row, class Spin, class Sum>
__device__ void walk(const Row* matrix, int pitch, int parity, int first, int count, Spin* spins, int R,
                     const Sum* low, const Sum* high, int planes, int width, const unsigned* keys, const double* scales, int law,
                     unsigned sweep, long long* accepted) {
    const int warps = blockDim.x >> 5, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const size_t r = (size_t)blockIdx.x * 32 + lane;
    const bool real = r < (size_t)R;
    double* limits = reinterpret_cast<double*>(shared);               // (count, 32)
    int* fields = reinterpret_cast<int*>(limits + 32 * count);         // (count, 32)
    int* couplings = fields + 32 * count;                              // (count, count)
    unsigned* up = reinterpret_cast<unsigned*>(couplings + count * count);  // (count,), a bit per walker
    unsigned* turned = up + count;
    for (int k = warp; k < count; k += warps) {
        const size_t place = (size_t)k * width + r;
        fields[32 * k + lane] = real ? (int)low[place] + (planes == 2 ? 256 * (int)high[place] : 0) : 0;
        limits[32 * k + lane] = real ? threshold(keys + 3 * r, sweep, first + k, scales[r], law) : 0.0;
        const unsigned bits = __ballot_sync(0xffffffffu, real && is_up(spins[r * pitch + first + k]));
        if (lane == 0) up[k] = bits;
    }
    for (int kl = threadIdx.x; kl < count * count; kl += blockDim.x)
        couplings[kl] = coupling(matrix[(size_t)(first + kl / count) * pitch + first + kl % count], parity);
    __syncthreads();
    for (int k = 0; k < count; ++k) {
        const int spin = (up[k] >> lane) & 1u ? 1 : -1;
        const bool turn = real && turns(spin, fields[32 * k + lane], limits[32 * k + lane], law);
        const unsigned mask = __ballot_sync(0xffffffffu, turn);
        if (warp == 0 && lane == 0) turned[k] = mask;
        if (mask == 0u) continue;  // the same in all warps
        const int change = turn ? -2 * spin : 0;
        for (int l = k + 1 + warp; l < count; l += warps) fields[32 * l + lane] += change * couplings[k * count + l];
        __syncthreads();
    }
    __syncthreads();
    int moves = 0;
    for (int k = warp; k < count; k += warps)
        if ((turned[k] >> lane) & 1u) {
            write(&spins[r * pitch + first + k], !((up[k] >> lane) & 1u));
            ++moves;
        }
    if (moves) atomicAdd(reinterpret_cast<unsigned long long*>(accepted + r), (unsigned long long)moves);
}

#define WALK(NAME, ROW, SPIN, SUM)                                                                                    \
    extern "C" __global__ void NAME(const ROW* matrix, int pitch, int parity, int first, int count, SPIN* spins, int R, \
                                    const SUM* low, const SUM* high, int planes, int width, const unsigned* keys,                 \
                                    const double* scales, int law, unsigned sweep, long long* accepted) {             \
        walk<ROW, SPIN, SUM>(matrix, pitch, parity, first, count, spins, R, low, high, planes, width, keys, scales, law,      \
                             sweep, accepted);                                                                        \
    }

WALK(walk_int8_bytes, signed char, signed char, int)
WALK(walk_int16_bytes, short, signed char, int)
WALK(walk_int32_bytes, int, signed char, int)
WALK(walk_int8_halves, signed char, unsigned short, float)
WALK(walk_int16_halves, short, unsigned short, float)
WALK(walk_int32_halves, int, unsigned short, float)

// Spins of walker blockIdx.x to half precision and back; padding is zero in both.
extern "C" __global__ void to_halves(const signed char* spins, int N, int pitch, unsigned short* out) {
    const size_t r = blockIdx.x;
    for (int i = threadIdx.x; i < pitch; i += blockDim.x) {
        if (i < N) write(&out[r * pitch + i], is_up(spins[r * pitch + i]));
        else out[r * pitch + i] = 0u;
    }
}
extern "C" __global__ void from_halves(const unsigned short* halves, int N, int pitch, signed char* out) {
    const size_t r = blockIdx.x;
    for (int i = threadIdx.x; i < N; i += blockDim.x) write(&out[r * pitch + i], is_up(halves[r * pitch + i]));
}
