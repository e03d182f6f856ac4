// Lets a C++ compiler build the .cu sources of the package and run their kernels on the CPU with the semantics of a
// thread block: threads are fibers that switch only at barriers and warp collectives, so between two barriers they run
// one after another, in an order that the caller chooses (forward, backward, or shuffled anew each round).  A barrier
// that is missing shows as an order that changes the result; one that not all threads reach, or a warp collective
// whose lanes disagree, is an error.  Shared memory is filled with junk before each block and guarded behind its end;
// the types of all arguments are compared with those of the kernel.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __restrict__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

namespace emulator {

constexpr int SHARED = 1 << 18, GUARD = 256, STACK = 1 << 16;

struct Index {
    unsigned x = 0, y = 0, z = 0;
};

enum State { READY, AT_BARRIER, AT_WARP, DONE };

struct Fiber {
    State state = READY;
    bool started = false;
    Index thread;
    int value = 0;             // given to a block barrier
    unsigned mask = 0;         // of a warp collective
    uint64_t given = 0;        // to it
    uint64_t lanes[32] = {};   // got from it
    jmp_buf here;
    ucontext_t context;
};

inline std::vector<Fiber> fibers;
inline Fiber* current = nullptr;
inline jmp_buf scheduler;
inline ucontext_t home;
inline int reduced = 0;
inline std::string failure;
inline void (*body)(void*) = nullptr;
inline void* argument = nullptr;
inline Index block_index, block_size, grid_size;
inline uint64_t barriers = 0;

inline void pause() {
    if (_setjmp(current->here) == 0) _longjmp(scheduler, 1);
}

inline void enter() {
    body(argument);
    current->state = DONE;
    _longjmp(scheduler, 1);
}

inline int barrier(int value) {
    current->value = value;
    current->state = AT_BARRIER;
    pause();
    return reduced;
}

inline uint64_t const* exchange(unsigned mask, uint64_t given) {
    current->mask = mask;
    current->given = given;
    current->state = AT_WARP;
    pause();
    return current->lanes;
}

// All lanes of the mask are there: hand everyone what the others gave.
inline bool complete_warp(size_t first) {
    const size_t last = first + 32 < fibers.size() ? first + 32 : fibers.size();
    unsigned waiting = 0, mask = 0;
    for (size_t i = first; i < last; ++i)
        if (fibers[i].state == AT_WARP) {
            waiting |= 1u << (i - first);
            mask = fibers[i].mask;
        }
    if (waiting == 0 || waiting != mask) return false;
    for (size_t i = first; i < last; ++i) {
        if (!(mask >> (i - first) & 1u)) continue;
        if (fibers[i].mask != mask) {
            failure = "lanes of a warp collective name different masks";
            return false;
        }
        for (size_t j = first; j < last; ++j) fibers[i].lanes[j - first] = fibers[j].given;
    }
    for (size_t i = first; i < last; ++i)
        if (mask >> (i - first) & 1u) fibers[i].state = READY;
    return true;
}

inline bool run_block(int schedule, std::vector<char>& stacks) {
    const size_t count = fibers.size();
    std::vector<size_t> turn(count);
    for (size_t i = 0; i < count; ++i) turn[i] = schedule == 1 ? count - 1 - i : i;
    static uint64_t dice = 88172645463325252ull;
    while (failure.empty()) {
        if (schedule == 2)
            for (size_t i = count - 1; i > 0; --i) {
                dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
                std::swap(turn[i], turn[dice % (i + 1)]);
            }
        bool moved = false;
        for (size_t k = 0; k < count; ++k) {
            Fiber& fiber = fibers[turn[k]];
            if (fiber.state != READY) continue;
            moved = true;
            current = &fiber;
            if (_setjmp(scheduler) == 0) {
                if (fiber.started) _longjmp(fiber.here, 1);
                fiber.started = true;
                getcontext(&fiber.context);
                fiber.context.uc_stack.ss_sp = stacks.data() + turn[k] * STACK;
                fiber.context.uc_stack.ss_size = STACK;
                fiber.context.uc_link = nullptr;
                makecontext(&fiber.context, enter, 0);
                swapcontext(&home, &fiber.context);
            }
            if (current->state == AT_WARP) complete_warp(turn[k] / 32 * 32);
        }
        if (moved) continue;
        size_t done = 0, waiting = 0;
        for (Fiber& fiber : fibers) done += fiber.state == DONE, waiting += fiber.state == AT_BARRIER;
        if (done == count) return true;
        if (waiting != count) {
            failure = "a barrier or warp collective is not reached by all threads";
            return false;
        }
        ++barriers;
        reduced = 0;
        for (Fiber& fiber : fibers) {
            reduced |= fiber.value;
            fiber.state = READY;
        }
    }
    return false;
}

// One letter per type, as NumPy has them; pointers with '*'.
template <class T>
std::string name_of() {
    if constexpr (std::is_pointer_v<T>) return "*" + name_of<std::remove_cv_t<std::remove_pointer_t<T>>>();
    else if constexpr (std::is_same_v<T, double>) return "f8";
    else if constexpr (std::is_same_v<T, float>) return "f4";
    else return (std::is_signed_v<T> ? "i" : "u") + std::to_string(sizeof(T));
}

template <class... A, size_t... I>
void call(void (*kernel)(A...), void** values, std::index_sequence<I...>) {
    kernel(*reinterpret_cast<A*>(values[I])...);
}

}  // namespace emulator

alignas(16) inline unsigned char shared[emulator::SHARED + emulator::GUARD];

namespace emulator {

template <class... A>
const char* launch(void (*kernel)(A...), void** values, const char* types, int blocks, int threads, int bytes,
                   int schedule) {
    failure.clear();
    std::string wanted;
    ((wanted += name_of<A>() + " "), ...);
    if (wanted != types) return (failure = "arguments are " + std::string(types) + "but the kernel takes " + wanted).c_str();
    if (threads % 32 || threads > 1024 || bytes > SHARED) return "a launch needs whole warps, <= 1024 threads, <= 256 KiB";
    static std::vector<char> stacks;
    stacks.resize(size_t(threads) * STACK);
    struct Bound {
        void (*kernel)(A...);
        void** values;
    } bound = {kernel, values};
    argument = &bound;
    body = [](void* it) {
        Bound* b = static_cast<Bound*>(it);
        call(b->kernel, b->values, std::index_sequence_for<A...>());
    };
    block_size.x = threads, grid_size.x = blocks;
    block_size.y = block_size.z = grid_size.y = grid_size.z = 1;
    for (int b = 0; b < blocks && failure.empty(); ++b) {
        block_index.x = schedule == 1 ? blocks - 1 - b : b;
        memset(shared, 0xA5, SHARED + GUARD);
        fibers.assign(threads, Fiber());
        for (int t = 0; t < threads; ++t) fibers[t].thread.x = t;
        run_block(schedule, stacks);
        for (int i = 0; i < GUARD; ++i)
            if (shared[bytes + i] != 0xA5) failure = "shared memory was written beyond its end";
    }
    return failure.c_str();
}

}  // namespace emulator

#define threadIdx (emulator::current->thread)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
template <class T>
T __ldg(const T* place) {
    return *place;
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

inline void __syncthreads() { emulator::barrier(0); }
inline int __syncthreads_or(int value) { return emulator::barrier(value != 0); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { emulator::exchange(mask, 0); }

inline unsigned __ballot_sync(unsigned mask, int wants) {
    const uint64_t* lanes = emulator::exchange(mask, wants != 0);
    unsigned out = 0;
    for (int i = 0; i < 32; ++i)
        if (mask >> i & 1u) out |= unsigned(lanes[i] != 0) << i;
    return out;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
    uint64_t raw = 0;
    memcpy(&raw, &value, sizeof(T));
    const uint64_t* lanes = emulator::exchange(mask, raw);
    memcpy(&value, &lanes[source & 31], sizeof(T));
    return value;
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane) {
    uint64_t raw = 0;
    memcpy(&raw, &value, sizeof(T));
    const uint64_t* lanes = emulator::exchange(mask, raw);
    memcpy(&value, &lanes[(threadIdx.x & 31) ^ lane], sizeof(T));
    return value;
}

inline int __popc(unsigned word) { return __builtin_popcount(word); }
inline int __ffs(unsigned word) { return __builtin_ffs(int(word)); }
inline int __clz(int word) { return word == 0 ? 32 : __builtin_clz(unsigned(word)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline long long __double_as_longlong(double x) {
    long long bits;
    memcpy(&bits, &x, 8);
    return bits;
}
inline double __longlong_as_double(long long bits) {
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

template <class T>
T atomicAdd(T* place, T value) {
    const T old = *place;
    *place += value;
    return old;
}
template <class T>
T atomicMin(T* place, T value) {
    const T old = *place;
    if (value < old) *place = value;
    return old;
}
template <class T>
T atomicMax(T* place, T value) {
    const T old = *place;
    if (value > old) *place = value;
    return old;
}
