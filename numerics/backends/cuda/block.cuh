#pragma once
// What one thread block does for its replica: rows of couplings added to the fields, spins kept as bits, the first
// spin that wants to turn.  `matrix` rows are padded with zeros to `pitch`, a multiple of 16.

#define KEEP 0
#define PLUS 1

extern __shared__ __align__(16) unsigned char shared[];

template <class T, int COUNT>
struct __align__(16) Pack {
    T v[COUNT];
};

// A stored coupling as N J_ij: int8 rows hold (N J - parity) / 2, wider ones N J itself.
template <class Row>
__device__ __forceinline__ int coupling(Row stored, int parity) {
    return sizeof(Row) == 1 ? 2 * (int)stored + parity : (int)stored;
}

template <class Row>
__device__ __forceinline__ Pack<Row, 16 / sizeof(Row)> load(const Row* place) {
    Pack<Row, 16 / sizeof(Row)> out;
    *reinterpret_cast<int4*>(&out) = __ldg(reinterpret_cast<const int4*>(place));
    return out;
}

template <class Row, class Field>
__device__ __forceinline__ void add_part(Field* fields, const Pack<Row, 16 / sizeof(Row)>& stored, int parity,
                                         int change) {
    constexpr int WIDE = 16 / sizeof(Row), PART = 16 / sizeof(Field);
#pragma unroll
    for (int first = 0; first < WIDE; first += PART) {
        Pack<Field, PART>* place = reinterpret_cast<Pack<Field, PART>*>(fields + first);
        Pack<Field, PART> part = *place;
#pragma unroll
        for (int q = 0; q < PART; ++q) part.v[q] += (Field)change * coupling(stored.v[first + q], parity);
        *place = part;
    }
}

// fields += change * row of site i, the diagonal left out.  A thread takes 16 bytes of the row at a time, and asks for
// the next 16 before it adds the first, so that two loads are on their way.
template <class Row, class Field>
__device__ __forceinline__ void add_row(Field* fields, const Row* row, int i, int pitch, int parity, int change) {
    constexpr int WIDE = 16 / sizeof(Row);
    const int step = blockDim.x * WIDE;
    for (int j = threadIdx.x * WIDE; j < pitch; j += 2 * step) {
        const bool more = j + step < pitch;
        const Pack<Row, WIDE> one = load(row + j), two = load(row + (more ? j + step : j));
        add_part<Row, Field>(fields + j, one, parity, change);
        if (more) add_part<Row, Field>(fields + j + step, two, parity, change);
    }
    // What is stored on the diagonal of 8-bit couplings stands for nothing: the thread that added it takes it back.
    if (sizeof(Row) == 1 && i / WIDE % blockDim.x == threadIdx.x)
        fields[i] -= (Field)change * coupling(row[i], parity);
}

__device__ __forceinline__ int spin_of(const unsigned* bits, int site) {
    return (bits[site >> 5] >> (site & 31)) & 1u ? 1 : -1;
}

__device__ __forceinline__ void load_bits(unsigned* bits, const signed char* spins, int N) {
    for (int w = threadIdx.x; w < (N + 31) / 32; w += blockDim.x) {
        unsigned word = 0u;
        for (int b = 0; b < 32 && 32 * w + b < N; ++b) word |= (unsigned)(spins[32 * w + b] > 0) << b;
        bits[w] = word;
    }
}

__device__ __forceinline__ void store_bits(const unsigned* bits, signed char* spins, int N) {
    for (int i = threadIdx.x; i < N; i += blockDim.x) spins[i] = (signed char)spin_of(bits, i);
}

// Three slots in turn: the one of the next search is cleared before this search's barrier, when nobody can still be
// reading it, so that one barrier per search is enough.
struct Search {
    int* slots;
    int now;
};

__device__ __forceinline__ Search new_search(int* slots) {
    if (threadIdx.x < 3) slots[threadIdx.x] = 0x7fffffff;
    Search search = {slots, 0};
    return search;
}

// The lowest `rank` of all threads that want to turn (0x7fffffff if none does), with the spin in bit 0:
// returns 2 rank + (spin > 0).  Ends in a barrier.
__device__ __forceinline__ int first_of(Search& search, bool wants, int rank, int spin) {
    const unsigned hits = __ballot_sync(0xffffffffu, wants);
    const int next = search.now == 2 ? 0 : search.now + 1;
    if (hits != 0u && (int)(threadIdx.x & 31) == __ffs(hits) - 1)
        atomicMin(&search.slots[search.now], 2 * rank + (spin > 0));
    if (threadIdx.x == 0) search.slots[next] = 0x7fffffff;
    __syncthreads();
    const int found = search.slots[search.now];
    search.now = next;
    return found;
}
