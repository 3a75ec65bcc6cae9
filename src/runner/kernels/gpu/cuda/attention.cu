// Causal attention over groups of rows that share a prefix.
//
// A block takes ROWS neighbouring rows of one part of a group: what it reads of the other side, it reads once for all of them. Of every
// row four numbers are known: where its prefix starts and how many rows that has, where its own part starts, and where the rows end that
// see it.

// Rows of a block.
#define ROWS 8

struct Heads {
    u32 heads, kv_heads, width, window;
    float scale, cap;
    u64 key, most;
    float keep;
};

// The rows of a block: `count` from `row` on. They see the columns up to `end(at)`, of which `prefix` stand before their own part.
struct Rows {
    u32 row, count, prefix_start, prefix, start;
};

__device__ Rows rows_of(const u32 *places, u32 row, u32 count) {
    const u32 *of = places + 4 * (u64)row;
    Rows rows = {row, count, of[0], of[1], of[2]};
    return rows;
}

// How many columns the row at a place sees, and the first one.
__device__ u32 end_of(Rows rows, u32 at) { return rows.prefix + rows.row - rows.start + at + 1; }
__device__ u32 first_of(Rows rows, u32 at, u32 window) {
    u32 end = end_of(rows, at);
    return end > window ? end - window : 0;
}

// The row of a column.
__device__ u32 row_of(Rows rows, u32 column) {
    return column < rows.prefix ? rows.prefix_start + column : rows.start + column - rows.prefix;
}

// From one row to the next in shared memory: whole groups of four numbers.
__device__ u32 stride_of(u32 width) { return (width + 3) / 4 * 4; }

// Copies the heads of some rows to shared memory; 0 beyond them.
__device__ void load(float *to, const float *from, Rows rows, u32 heads, u32 head, u32 width) {
    u32 stride = stride_of(width);
    WITHIN(at, ROWS * stride) {
        u32 row = at / stride, place = at % stride;
        to[at] = row < rows.count && place < width ? from[((u64)(rows.row + row) * heads + head) * width + place] : 0.0f;
    }
}

// The products of one head with those of all rows of the block.
__device__ __forceinline__ void products(float *found, const float *head, const float *rows, u32 width) {
    u32 stride = stride_of(width);
#pragma unroll
    for (u32 row = 0; row < ROWS; row++) found[row] = 0.0f;
    if (width % 4 != 0) {
        for (u32 at = 0; at < width; at++) {
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) found[row] += head[at] * rows[row * stride + at];
        }
        return;
    }
    for (u32 at = 0; at < width / 4; at++) {
        float4 x = ((const float4 *)head)[at];
#pragma unroll
        for (u32 row = 0; row < ROWS; row++) {
            float4 y = ((const float4 *)(rows + row * stride))[at];
            found[row] += x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
        }
    }
}

// Brings the largest, or the sum, of each row of numbers of a block to the first of them.
__device__ void fold_rows(float *numbers, bool sum) {
    __syncthreads();
    for (u32 half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) {
                float *of = numbers + row * THREADS + threadIdx.x;
                *of = sum ? of[0] + of[half] : fmaxf(of[0], of[half]);
            }
        }
        __syncthreads();
    }
}

// A score as it enters the softmax, and by how much it grows with the product.
__device__ float bent(Heads of, float product, float *slope) {
    float score = product * of.scale;
    *slope = of.scale;
    if (of.cap > 0.0f) {
        float share = tanhf(score / of.cap);
        *slope *= 1.0f - share * share;
        score = share * of.cap;
    }
    return score;
}

// A share of a row and head, or 0 where it is dropped.
__device__ float after_dropout(Heads of, float share, u32 row, u32 head, u32 column) {
    if (of.most == 0) return share;
    return kept(share, of.key, (((u64)row * of.heads + head) << 32) + column, of.most, of.keep);
}

// The outputs of some rows and a head, and the logarithms of the sums that their scores were divided by.
extern "C" __global__ void attend(float *out, float *sums, const float *queries, const float *keys, const float *values,
                                  const u32 *places, const u32 *tiles, Heads of) {
    extern __shared__ float4 space[];
    __shared__ float mosts[ROWS], totals[ROWS], factors[ROWS], folded[ROWS * THREADS];
    u32 width = of.width, stride = stride_of(width), head = blockIdx.y, kv = head / (of.heads / of.kv_heads);
    float *query = (float *)space, *sum_of = query + ROWS * stride, *shares = sum_of + ROWS * stride;
    Rows rows = rows_of(places, tiles[2 * blockIdx.x], tiles[2 * blockIdx.x + 1]);
    load(query, queries, rows, of.heads, head, width);
    WITHIN(at, ROWS * stride) sum_of[at] = 0.0f;
    WITHIN(row, ROWS) {
        mosts[row] = LOWEST;
        totals[row] = 0.0f;
    }
    __syncthreads();
    u32 end = end_of(rows, rows.count - 1);
    for (u32 base = first_of(rows, 0, of.window); base < end; base += THREADS) {
        u32 count = min((u32)THREADS, end - base);
        float largest[ROWS], part[ROWS], slope;
#pragma unroll
        for (u32 row = 0; row < ROWS; row++) largest[row] = LOWEST;
        WITHIN(at, count) {
            float found[ROWS];
            u32 column = base + at;
            products(found, keys + ((u64)row_of(rows, column) * of.kv_heads + kv) * width, query, width);
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) {
                bool seen = row < rows.count && column < end_of(rows, row) && column >= first_of(rows, row, of.window);
                float score = seen ? bent(of, found[row], &slope) : LOWEST;
                shares[row * THREADS + at] = score;
                largest[row] = fmaxf(largest[row], score);
            }
        }
#pragma unroll
        for (u32 row = 0; row < ROWS; row++) folded[row * THREADS + threadIdx.x] = largest[row];
        fold_rows(folded, false);
        WITHIN(row, ROWS) {
            float now = fmaxf(mosts[row], folded[row * THREADS]);
            factors[row] = expf(mosts[row] - now);
            mosts[row] = now;
        }
        __syncthreads();
#pragma unroll
        for (u32 row = 0; row < ROWS; row++) part[row] = 0.0f;
        WITHIN(at, count) {
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) {
                float score = shares[row * THREADS + at], share = 0.0f;
                if (score > LOWEST) {
                    share = expf(score - mosts[row]);
                    part[row] += share;
                    share = after_dropout(of, share, rows.row + row, head, base + at - first_of(rows, row, of.window));
                }
                shares[row * THREADS + at] = share;
            }
        }
#pragma unroll
        for (u32 row = 0; row < ROWS; row++) folded[row * THREADS + threadIdx.x] = part[row];
        fold_rows(folded, true);
        WITHIN(row, ROWS) totals[row] = totals[row] * factors[row] + folded[row * THREADS];
        WITHIN(item, width * (ROWS / 4)) {
            u32 at = item % width, four = item / width * 4;
            float sum[4];
#pragma unroll
            for (u32 row = 0; row < 4; row++) sum[row] = sum_of[(four + row) * stride + at] * factors[four + row];
            for (u32 key = 0; key < count; key++) {
                float value = values[((u64)row_of(rows, base + key) * of.kv_heads + kv) * width + at];
#pragma unroll
                for (u32 row = 0; row < 4; row++) sum[row] += shares[(four + row) * THREADS + key] * value;
            }
#pragma unroll
            for (u32 row = 0; row < 4; row++) sum_of[(four + row) * stride + at] = sum[row];
        }
        __syncthreads();
    }
    WITHIN(at, rows.count * width) {
        u32 row = at / width;
        out[((u64)(rows.row + row) * of.heads + head) * width + at % width] = sum_of[row * stride + at % width] / totals[row];
    }
    WITHIN(row, rows.count) sums[(u64)(rows.row + row) * of.heads + head] = mosts[row] + logf(totals[row]);
}

// The gradients of the queries of some rows and a head, and the products of their outputs and the gradients of those.
extern "C" __global__ void attend_back_queries(float *of_queries, float *levels, const float *queries,
                                               const float *keys, const float *values, const float *out,
                                               const float *sums, const float *gradients, const u32 *places,
                                               const u32 *tiles, Heads of) {
    extern __shared__ float4 space[];
    __shared__ float level_of[ROWS];
    u32 width = of.width, stride = stride_of(width), head = blockIdx.y, kv = head / (of.heads / of.kv_heads);
    float *query = (float *)space, *gradient = query + ROWS * stride, *sum_of = gradient + ROWS * stride;
    float *slopes = sum_of + ROWS * stride;
    Rows rows = rows_of(places, tiles[2 * blockIdx.x], tiles[2 * blockIdx.x + 1]);
    load(query, queries, rows, of.heads, head, width);
    load(gradient, gradients, rows, of.heads, head, width);
    WITHIN(at, ROWS * stride) sum_of[at] = 0.0f;
    __syncthreads();
    WITHIN(row, rows.count) {
        u64 place = (u64)(rows.row + row) * of.heads + head;
        float level = 0.0f;
        for (u32 at = 0; at < width; at++) level += gradient[row * stride + at] * out[place * width + at];
        level_of[row] = level;
        levels[place] = level;
    }
    __syncthreads();
    u32 end = end_of(rows, rows.count - 1);
    for (u32 base = first_of(rows, 0, of.window); base < end; base += THREADS) {
        u32 count = min((u32)THREADS, end - base);
        WITHIN(at, count) {
            float found[ROWS], of_share[ROWS];
            u32 column = base + at;
            u64 key = ((u64)row_of(rows, column) * of.kv_heads + kv) * width;
            products(found, keys + key, query, width);
            products(of_share, values + key, gradient, width);
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) {
                u32 first = first_of(rows, row, of.window);
                float value = 0.0f, slope;
                if (row < rows.count && column < end_of(rows, row) && column >= first) {
                    float score = bent(of, found[row], &slope);
                    float share = expf(score - sums[(u64)(rows.row + row) * of.heads + head]);
                    float grown = after_dropout(of, of_share[row], rows.row + row, head, column - first);
                    value = share * (grown - level_of[row]) * slope;
                }
                slopes[row * THREADS + at] = value;
            }
        }
        __syncthreads();
        WITHIN(item, width * (ROWS / 4)) {
            u32 at = item % width, four = item / width * 4;
            float sum[4];
#pragma unroll
            for (u32 row = 0; row < 4; row++) sum[row] = sum_of[(four + row) * stride + at];
            for (u32 key = 0; key < count; key++) {
                float value = keys[((u64)row_of(rows, base + key) * of.kv_heads + kv) * width + at];
#pragma unroll
                for (u32 row = 0; row < 4; row++) sum[row] += slopes[(four + row) * THREADS + key] * value;
            }
#pragma unroll
            for (u32 row = 0; row < 4; row++) sum_of[(four + row) * stride + at] = sum[row];
        }
        __syncthreads();
    }
    WITHIN(at, rows.count * width) {
        u32 row = at / width;
        of_queries[((u64)(rows.row + row) * of.heads + head) * width + at % width] = sum_of[row * stride + at % width];
    }
}

// The gradients of keys and values of some rows and a head of keys.
extern "C" __global__ void attend_back_keys(float *of_keys, float *of_values, const float *queries, const float *keys,
                                            const float *values, const float *sums, const float *gradients,
                                            const float *levels, const u32 *places, const u32 *tiles, Heads of) {
    extern __shared__ float4 space[];
    u32 width = of.width, stride = stride_of(width), kv = blockIdx.y, shared = of.heads / of.kv_heads;
    float *key = (float *)space, *value = key + ROWS * stride, *sum_of_key = value + ROWS * stride;
    float *sum_of_value = sum_of_key + ROWS * stride;
    float *slopes = sum_of_value + ROWS * stride, *shares = slopes + ROWS * THREADS;
    Rows own = rows_of(places, tiles[2 * blockIdx.x], tiles[2 * blockIdx.x + 1]);
    load(key, keys, own, of.kv_heads, kv, width);
    load(value, values, own, of.kv_heads, kv, width);
    WITHIN(at, 2 * ROWS * stride) sum_of_key[at] = 0.0f;
    __syncthreads();
    // Queries from the first row of the block on, with all heads that share these keys.
    u32 seen = (places[4 * (u64)own.row + 3] - own.row) * shared;
    for (u32 base = 0; base < seen; base += THREADS) {
        u32 count = min((u32)THREADS, seen - base);
        WITHIN(at, count) {
            float found[ROWS], of_share[ROWS];
            u32 head = kv * shared + (base + at) % shared;
            Rows asking = rows_of(places, own.row + (base + at) / shared, 1);
            u64 place = (u64)asking.row * of.heads + head;
            u32 end = end_of(asking, 0), first = first_of(asking, 0, of.window);
            products(found, queries + place * width, key, width);
            products(of_share, gradients + place * width, value, width);
#pragma unroll
            for (u32 row = 0; row < ROWS; row++) {
                u32 key_row = own.row + row;
                u32 column = key_row >= asking.start ? asking.prefix + key_row - asking.start : key_row - asking.prefix_start;
                float slope, by_key = 0.0f, by_value = 0.0f;
                if (row < own.count && column < end && column >= first) {
                    float share = expf(bent(of, found[row], &slope) - sums[place]);
                    float grown = after_dropout(of, of_share[row], asking.row, head, column - first);
                    by_key = share * (grown - levels[place]) * slope;
                    by_value = after_dropout(of, share, asking.row, head, column - first);
                }
                slopes[row * THREADS + at] = by_key;
                shares[row * THREADS + at] = by_value;
            }
        }
        __syncthreads();
        WITHIN(item, width * (ROWS / 4)) {
            u32 at = item % width, four = item / width * 4;
            float of_key[4], of_value[4];
#pragma unroll
            for (u32 row = 0; row < 4; row++) {
                of_key[row] = sum_of_key[(four + row) * stride + at];
                of_value[row] = sum_of_value[(four + row) * stride + at];
            }
            for (u32 query = 0; query < count; query++) {
                u32 asking = own.row + (base + query) / shared, head = kv * shared + (base + query) % shared;
                u64 place = ((u64)asking * of.heads + head) * width + at;
                float x = queries[place], y = gradients[place];
#pragma unroll
                for (u32 row = 0; row < 4; row++) {
                    of_key[row] += slopes[(four + row) * THREADS + query] * x;
                    of_value[row] += shares[(four + row) * THREADS + query] * y;
                }
            }
#pragma unroll
            for (u32 row = 0; row < 4; row++) {
                sum_of_key[(four + row) * stride + at] = of_key[row];
                sum_of_value[(four + row) * stride + at] = of_value[row];
            }
        }
        __syncthreads();
    }
    WITHIN(at, own.count * width) {
        u32 row = at / width, place = at % width;
        u64 to = ((u64)(own.row + row) * of.kv_heads + kv) * width + place;
        of_keys[to] = sum_of_key[row * stride + place];
        of_values[to] = sum_of_value[row * stride + place];
    }
}
