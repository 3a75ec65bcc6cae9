// Matrices whose rows follow each other.

extern "C" __global__ void add_scaled(float *sum, const float *part, float scale, u64 count) {
    EACH(at, count) sum[at] += part[at] * scale;
}

extern "C" __global__ void scale(float *numbers, float factor, u64 count) {
    EACH(at, count) numbers[at] *= factor;
}

extern "C" __global__ void add_row(float *numbers, const float *row, u64 count, u32 cols) {
    EACH(at, count) numbers[at] += row[at % cols];
}

extern "C" __global__ void scale_columns(float *numbers, const float *factors, u64 count, u32 cols) {
    EACH(at, count) numbers[at] *= factors[at % cols];
}

extern "C" __global__ void scale_rows(float *numbers, const float *factors, u64 count, u32 cols) {
    EACH(at, count) numbers[at] *= factors[at / cols];
}

extern "C" __global__ void divide(float *numbers, const float *by, u64 count) {
    EACH(at, count) numbers[at] /= by[at];
}

// Takes `keep` of a number and `take` of another.
extern "C" __global__ void follow(float *own, const float *other, float keep, float take, u64 count) {
    EACH(at, count) own[at] = own[at] * keep + other[at] * take;
}

// The sum of every column, each number times that of `with` if there is one.
extern "C" __global__ void column_sums(float *sums, const float *numbers, const float *with, u32 rows, u32 cols) {
    EACH(col, cols) {
        float sum = 0.0f;
        for (u64 at = col; at < (u64)rows * cols; at += cols) sum += with ? numbers[at] * with[at] : numbers[at];
        sums[col] = sum;
    }
}

// The length of every row; a block for each.
extern "C" __global__ void row_lengths(float *lengths, const float *numbers, u32 cols) {
    const float *row = numbers + (u64)blockIdx.x * cols;
    float sum = 0.0f;
    WITHIN(at, cols) sum += row[at] * row[at];
    sum = block_sum(sum);
    if (threadIdx.x == 0) lengths[blockIdx.x] = sqrtf(sum);
}

// The rows of some indices.
extern "C" __global__ void select_rows(float *out, const float *numbers, const u32 *indices, u64 count, u32 cols) {
    EACH(at, count) out[at] = numbers[(u64)indices[at / cols] * cols + at % cols];
}

// The columns of some indices, each as a row of `rows` numbers.
extern "C" __global__ void select_columns(float *out, const float *numbers, const u32 *indices, u64 count, u32 rows,
                                          u32 cols) {
    EACH(at, count) out[at] = numbers[(at % rows) * cols + indices[at / rows]];
}

// Adds rows to those of some indices, one after the other: an index may stand there twice.
extern "C" __global__ void scatter_rows(float *out, const float *numbers, const u32 *indices, u32 count, u32 cols) {
    EACH(col, cols) {
        for (u32 from = 0; from < count; from++) out[(u64)indices[from] * cols + col] += numbers[(u64)from * cols + col];
    }
}

// Some neighbouring columns of a matrix into another.
extern "C" __global__ void copy_columns(float *out, u32 out_cols, u32 out_start, const float *numbers, u32 cols,
                                        u32 start, u64 count, u32 width) {
    EACH(at, count) {
        u64 row = at / width, col = at % width;
        out[row * out_cols + out_start + col] = numbers[row * cols + start + col];
    }
}

// Rows and columns exchanged.
extern "C" __global__ void transpose(float *out, const float *numbers, u64 count, u32 rows, u32 cols) {
    EACH(at, count) out[at] = numbers[(at % rows) * cols + at / rows];
}

extern "C" __global__ void drop(float *numbers, u64 count, u64 key, u64 most, float scale) {
    EACH(at, count) numbers[at] = kept(numbers[at], key, at, most, scale);
}

// Of every block of a grid: the sum of the squares, in 64 bits. Bit 0 of `flags` is set where a number is not 0, bit 1 where one
// is not finite.
extern "C" __global__ void summarize(double *sums, u32 *flags, const float *numbers, u64 count, u32 place) {
    double sum = 0.0;
    u32 found = 0;
    EACH(at, count) {
        float number = numbers[at];
        sum += (double)number * number;
        if (number != 0.0f) found |= 1;
        if (!(fabsf(number) <= 3.402823466e38f)) found |= 2;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) sums[(u64)place * gridDim.x + blockIdx.x] = sum;
    if (found) atomicOr(flags + place, found);
}

// AdamW with the operations in PyTorch's order.
extern "C" __global__ void adamw(float *values, float *means, float *squares, const float *gradients, float keep,
                                 float first, float second, float rest, float size, float root, float epsilon,
                                 u64 count) {
    EACH(at, count) {
        float gradient = gradients[at], value = values[at] * keep;
        float mean = means[at] + (gradient - means[at]) * first;
        float square = squares[at] * second + rest * gradient * gradient;
        means[at] = mean;
        squares[at] = square;
        values[at] = value - size * mean / (sqrtf(square) / root + epsilon);
    }
}
