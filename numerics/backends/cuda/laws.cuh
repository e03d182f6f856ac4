#pragma once
// The law of one update at T > 0, the same double operations in the same order as numerics/kernels/thresholds.py.
// Compile without fused multiply-add (--fmad=false): then the bits agree.
#include "philox.cuh"

#define METROPOLIS 0
#define HEAT_BATH 1

struct Reduced {
    long long k;
    double r;
};

// a = 2^k r, r in [sqrt(1/2), sqrt(2))
__device__ __forceinline__ Reduced reduced(double a) {
    const long long bits = __double_as_longlong(a);
    Reduced out;
    out.k = (bits - 0x3FE6A09E667F3BCDLL) >> 52;
    out.r = __longlong_as_double(bits - (out.k << 52));
    return out;
}

// ln(a/b) of positive normal doubles
__device__ __forceinline__ double log_ratio(double a, double b) {
    const Reduced x = reduced(a), y = reduced(b);
    double ra = x.r, rb = y.r, k = (double)(x.k - y.k);
    const bool low = ra * 1.4142135623730951 < rb, high = rb * 1.4142135623730951 < ra;
    if (low) {
        ra = ra + ra;
        k = k - 1.0;
    } else if (high) {
        rb = rb + rb;
        k = k + 1.0;
    }
    double s = (ra - rb) / (ra + rb);
    const double z = s * s;
    double p = 1.0 / 19.0;
    p = p * z + 1.0 / 17.0;
    p = p * z + 1.0 / 15.0;
    p = p * z + 1.0 / 13.0;
    p = p * z + 1.0 / 11.0;
    p = p * z + 1.0 / 9.0;
    p = p * z + 1.0 / 7.0;
    p = p * z + 1.0 / 5.0;
    p = p * z + 1.0 / 3.0;
    s = s + s;
    return k * 0.6931471805599453 + (s + s * (z * p));
}

// What the field of `site` is compared with in `sweep`; scale = normalisation / (2 beta).
__device__ __forceinline__ double threshold(const unsigned* key, unsigned sweep, int site, double scale, int law) {
    const unsigned word = word_of(philox((unsigned)site >> 2, sweep, key), site & 3);
    const double u = (double)word + 0.5;
    if (law == HEAT_BATH) return scale * log_ratio((double)(~word) + 0.5, u);
    const double limit = scale * log_ratio(4294967296.0, u);
    // A move that costs nothing (s H = 0, an integer) is refused for u >= 1/2 where that leaves all others as they are.
    return limit <= 1.0 && word >= 0x80000000u ? 0.0 : limit;
}

// Metropolis: s H < threshold; heat bath: the new spin is +1 iff H > -threshold.  Fields are integers below 2^53, so the
// comparison in double is exact.
template <class Field>
__device__ __forceinline__ bool turns(int spin, Field field, double limit, int law) {
    if (law == HEAT_BATH) return ((double)field > -limit) != (spin > 0);
    return (double)(spin > 0 ? field : -field) < limit;
}
