#pragma once
// The visiting order of one sweep: Fisher-Yates from the top, one word per exchange, as numerics/kernels/philox.py has
// it, but by a whole block.  Exchanges that touch different places commute, so in each round those go ahead which are
// the first remaining ones at both their places (Shun, Gu, Blelloch, Fineman, Gibbons, SODA 2015: O(log N) rounds);
// the result is that of the sequential loop.
#include "philox.cuh"

__device__ inline void shuffle(const unsigned* key, unsigned sweep, int N, int* order, int* pick, int* holder) {
    for (int i = threadIdx.x; i < N; i += blockDim.x) {
        order[i] = i;
        holder[i] = -1;
    }
    for (int block = threadIdx.x; 4 * block < N; block += blockDim.x) {
        const uint4 words = philox((unsigned)block, sweep, key);
        for (int q = 0; q < 4; ++q) {
            const int last = N - 1 - 4 * block - q;
            if (last > 0) pick[last] = (int)__umulhi(word_of(words, q), (unsigned)last + 1u);
        }
    }
    __syncthreads();
    int left = 1;
    while (left) {
        for (int last = 1 + threadIdx.x; last < N; last += blockDim.x)
            if (pick[last] >= 0) {
                atomicMax(&holder[last], last);
                atomicMax(&holder[pick[last]], last);
            }
        __syncthreads();
        left = 0;
        for (int last = 1 + threadIdx.x; last < N; last += blockDim.x) {
            const int other = pick[last];
            if (other < 0) continue;
            if (holder[last] == last && holder[other] == last) {
                const int kept = order[last];
                order[last] = order[other];
                order[other] = kept;
                holder[last] = -1;
                holder[other] = -1;
                pick[last] = -1;
            } else {
                left = 1;
            }
        }
        left = __syncthreads_or(left);
    }
}
