// What all kernels share. Compiled at run time, all files as one: no header of the toolkit is needed.
//
// Every sum is formed in an order that does not depend on when a thread runs: the same run gives the same bits twice.

typedef unsigned int u32;
typedef unsigned long long u64;

// Threads of a block at most. Also the number of keys, or of queries, that attention takes at once.
#define THREADS 128


// Goes over `count` things with all threads of all blocks.
#define EACH(at, count)                                                                              \
    for (u64 at = blockIdx.x * (u64)blockDim.x + threadIdx.x; at < (count); at += (u64)gridDim.x * blockDim.x)

// Goes over `count` things with the threads of one block.
#define WITHIN(at, count) for (u32 at = threadIdx.x; at < (count); at += blockDim.x)

// The sum over a block whose size is a power of two, in every thread.
template <typename T> __device__ T block_sum(T value) {
    __shared__ T parts[THREADS];
    parts[threadIdx.x] = value;
    __syncthreads();
    for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
        __syncthreads();
    }
    T total = parts[0];
    __syncthreads();
    return total;
}

// The largest value of a block, in every thread.
__device__ float block_most(float value) {
    __shared__ float parts[THREADS];
    parts[threadIdx.x] = value;
    __syncthreads();
    for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) parts[threadIdx.x] = fmaxf(parts[threadIdx.x], parts[threadIdx.x + half]);
        __syncthreads();
    }
    float most = parts[0];
    __syncthreads();
    return most;
}

#define LOWEST (-3.402823466e38f)

// The mixing step of SplitMix64; the same numbers are dropped as on a CPU.
__device__ u64 mixed(u64 x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

// A number, or 0 where it is dropped. `most` of 2^32 are.
__device__ float kept(float value, u64 key, u64 place, u64 most, float scale) {
    u64 drawn = mixed(key + place * 0x9e3779b97f4a7c15ULL) >> 32;
    return drawn < most ? 0.0f : value * scale;
}
