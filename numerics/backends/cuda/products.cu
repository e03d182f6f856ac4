// What stands before and after exact matrix products: couplings split into signed bytes or written as half precision,
// products put together into fields, pattern bits unpacked to +-1, and N J narrowed to the type that is kept.
#include "block.cuh"

// Byte `plane` of N J_ij in base 256 with digits from -128 to 127, rows first .. first + gridDim.x - 1; 0 on the
// diagonal and in the padding.
template <class Row>
__device__ void digits(const Row* matrix, int N, int pitch, int parity, int first, int plane, signed char* out) {
    const size_t i = (size_t)first + blockIdx.x;
    for (int j = threadIdx.x; j < pitch; j += blockDim.x) {
        long long value = j == (int)i || j >= N ? 0 : coupling(matrix[i * pitch + j], parity);
        for (int p = 0; p < plane; ++p) value = (value + 128) >> 8;
        out[(size_t)blockIdx.x * pitch + j] = (signed char)(value - (((value + 128) >> 8) << 8));
    }
}

// The same rows as half precision, for |N J| <= 2048: an integer's bits are written down, nothing is rounded.
template <class Row>
__device__ void halves(const Row* matrix, int N, int pitch, int parity, int first, unsigned short* out) {
    const size_t i = (size_t)first + blockIdx.x;
    for (int j = threadIdx.x; j < pitch; j += blockDim.x) {
        const int value = j == (int)i || j >= N ? 0 : coupling(matrix[i * pitch + j], parity);
        const int size = value < 0 ? -value : value, power = 31 - __clz(size);
        unsigned bits = 0u;
        if (size) bits = (unsigned)(power + 15) << 10 | ((unsigned)size << (21 - power) >> 11 & 0x3ffu);
        out[(size_t)blockIdx.x * pitch + j] = (unsigned short)(bits | (value < 0 ? 0x8000u : 0u));
    }
}

#define ROWS(SUFFIX, ROW)                                                                                             \
    extern "C" __global__ void digits_##SUFFIX(const ROW* matrix, int N, int pitch, int parity, int first, int plane,  \
                                               signed char* out) {                                                   \
        digits<ROW>(matrix, N, pitch, parity, first, plane, out);                                                     \
    }                                                                                                                 \
    extern "C" __global__ void halves_##SUFFIX(const ROW* matrix, int N, int pitch, int parity, int first,            \
                                               unsigned short* out) {                                                \
        halves<ROW>(matrix, N, pitch, parity, first, out);                                                            \
    }

ROWS(int8, signed char)
ROWS(int16, short)
ROWS(int32, int)

// fields[r][first + k] += 256^plane products[r][k], k < count; block r.
template <class Field>
__device__ void gather(const int* products, int width, int first, int count, int plane, Field* fields, int pitch) {
    const size_t r = blockIdx.x;
    for (int k = threadIdx.x; k < count; k += blockDim.x)
        fields[r * pitch + first + k] += (Field)((unsigned long long)(long long)products[r * width + k] << 8 * plane);
}

#define GATHER(NAME, FIELD)                                                                                           \
    extern "C" __global__ void NAME(const int* products, int width, int first, int count, int plane, FIELD* fields,   \
                                    int pitch) {                                                                     \
        gather<FIELD>(products, width, first, count, plane, fields, pitch);                                           \
    }

GATHER(gather_int32, int)
GATHER(gather_int64, long long)

// sum_i s_i H_i of replica r.
template <class Field>
__device__ void alignment(const signed char* spins, const Field* fields, int N, int pitch,
                          long long* out) {
    const size_t r = blockIdx.x;
    long long* total = reinterpret_cast<long long*>(shared);
    if (threadIdx.x == 0) *total = 0ll;
    __syncthreads();
    long long sum = 0ll;
    for (int i = threadIdx.x; i < N; i += blockDim.x)
        sum += (long long)spins[r * pitch + i] * (long long)fields[r * pitch + i];
    atomicAdd(reinterpret_cast<unsigned long long*>(total), (unsigned long long)sum);
    __syncthreads();
    if (threadIdx.x == 0) out[r] = *total;
}

#define ALIGNMENT(NAME, FIELD)                                                                                        \
    extern "C" __global__ void NAME(const signed char* spins, const FIELD* fields, int N, int pitch,  \
                                    long long* out) {                                                                \
        alignment<FIELD>(spins, fields, N, pitch, out);                                                   \
    }

ALIGNMENT(alignment_int32, int)
ALIGNMENT(alignment_int64, long long)

// Pattern bits (N, words) of site blockIdx.x as +-1, zero from P to pitch.
extern "C" __global__ void unpack(const unsigned* bits, int words, int P, int pitch, signed char* out) {
    const size_t i = blockIdx.x;
    for (int mu = threadIdx.x; mu < pitch; mu += blockDim.x)
        out[i * pitch + mu] = mu < P ? ((bits[i * words + (mu >> 5)] >> (mu & 31)) & 1u ? 1 : -1) : 0;
}

// Rows first .. of N J from a product of patterns: the diagonal and the padding become zero.
template <class Row>
__device__ void narrow(const int* products, int width, int N, int first, Row* matrix, int pitch) {
    const size_t i = (size_t)first + blockIdx.x;
    for (int j = threadIdx.x; j < pitch; j += blockDim.x)
        matrix[i * pitch + j] = j < N && j != (int)i ? (Row)products[(size_t)blockIdx.x * width + j] : (Row)0;
}

extern "C" __global__ void narrow_int16(const int* products, int width, int N, int first, short* matrix, int pitch) {
    narrow<short>(products, width, N, first, matrix, pitch);
}
extern "C" __global__ void narrow_int32(const int* products, int width, int N, int first, int* matrix, int pitch) {
    narrow<int>(products, width, N, first, matrix, pitch);
}
