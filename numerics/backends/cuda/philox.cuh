#pragma once
// Philox4x32-10 as in numerics/kernels/philox.py: counter words (block, 0, lane, tag), key words (key_0, key_1);
// `key` is the array (key_0, key_1, tag).

__device__ __forceinline__ uint4 philox(unsigned block, unsigned lane, const unsigned* key) {
    unsigned a = block, b = 0u, c = lane, d = key[2], k = key[0], l = key[1];
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned high_a = __umulhi(0xD2511F53u, a), low_a = 0xD2511F53u * a;
        const unsigned high_c = __umulhi(0xCD9E8D57u, c), low_c = 0xCD9E8D57u * c;
        a = high_c ^ b ^ k;
        b = low_c;
        c = high_a ^ d ^ l;
        d = low_a;
        k += 0x9E3779B9u;
        l += 0xBB67AE85u;
    }
    return make_uint4(a, b, c, d);
}

__device__ __forceinline__ unsigned word_of(uint4 words, int which) {
    return which == 0 ? words.x : which == 1 ? words.y : which == 2 ? words.z : words.w;
}
