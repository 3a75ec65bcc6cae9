// What is done with the rows of a layer: normalisation, rotary positions, activation, and the output layer.

// Turns the first `2 * half` numbers of every head of every row; `sign` is -1 for gradients.
extern "C" __global__ void rotate(float *numbers, const float *cosines, const float *sines, u64 count, u32 heads,
                                  u32 head, u32 half, float sign) {
    EACH(at, count) {
        u64 pair = at % half, place = at / half, row = place / heads;
        float *numbers_of = numbers + place * head + pair;
        float cosine = cosines[row * half + pair], sine = sines[row * half + pair] * sign;
        float x = numbers_of[0], y = numbers_of[half];
        numbers_of[0] = x * cosine - y * sine;
        numbers_of[half] = y * cosine + x * sine;
    }
}

// The value and the slope of an activation: 0 silu, 1 gelu by tanh, 2 gelu, 3 relu.
__device__ void activation(u32 kind, float x, float *value, float *slope) {
    if (kind == 0) {
        float share = 1.0f / (1.0f + expf(-x));
        *value = x * share;
        *slope = share + x * share * (1.0f - share);
    } else if (kind == 1) {
        const float root = 0.7978845608028654f, cube = 0.044715f;
        float bent = tanhf(root * (x + cube * x * x * x));
        float inner = root * (1.0f + 3.0f * cube * x * x) * (1.0f - bent * bent);
        *value = 0.5f * x * (1.0f + bent);
        *slope = 0.5f * (1.0f + bent) + 0.5f * x * inner;
    } else if (kind == 2) {
        float below = 0.5f * (1.0f + erff(x * 0.7071067811865476f));
        *value = x * below;
        *slope = below + x * 0.3989422804014327f * expf(-0.5f * x * x);
    } else {
        *value = x > 0.0f ? x : 0.0f;
        *slope = x > 0.0f ? 1.0f : 0.0f;
    }
}

// Bends `gate`, and multiplies it with `up` if there is one.
extern "C" __global__ void bend(float *out, const float *gate, const float *up, u32 kind, u64 count) {
    EACH(at, count) {
        float value, slope;
        activation(kind, gate[at], &value, &slope);
        out[at] = up ? value * up[at] : value;
    }
}

// Turns the gradient of `bend` into that of `gate`, and writes that of `up` if there is one.
extern "C" __global__ void bend_back(float *gradient, float *of_up, const float *gate, const float *up, u32 kind,
                                     u64 count) {
    EACH(at, count) {
        float value, slope;
        activation(kind, gate[at], &value, &slope);
        if (up) {
            of_up[at] = gradient[at] * value;
            slope *= up[at];
        }
        gradient[at] *= slope;
    }
}

// What is taken off a row, and what it is multiplied with.
__device__ void statistics(const float *row, u32 width, u32 is_layer, float epsilon, float *mean, float *inverse) {
    float sum = 0.0f, squares = 0.0f;
    if (is_layer) {
        WITHIN(at, width) sum += row[at];
        sum = block_sum(sum) / width;
    }
    WITHIN(at, width) squares += (row[at] - sum) * (row[at] - sum);
    *mean = sum;
    *inverse = 1.0f / sqrtf(block_sum(squares) / width + epsilon);
}

// Normalises; a block for each row. `plus` is added to the weight.
extern "C" __global__ void normalise(float *out, const float *numbers, const float *weight, const float *bias, u32 width,
                                u32 is_layer, float plus, float epsilon) {
    const float *row = numbers + (u64)blockIdx.x * width;
    float mean, inverse;
    statistics(row, width, is_layer, epsilon, &mean, &inverse);
    WITHIN(at, width) {
        float value = (row[at] - mean) * inverse * (weight[at] + plus);
        out[(u64)blockIdx.x * width + at] = bias ? value + bias[at] : value;
    }
}

// The gradient of what was normalised, and what `normalise_weights` needs of every row: mean and inverse.
extern "C" __global__ void normalise_back(float *out, float *of_rows, const float *numbers, const float *gradients,
                                     const float *weight, u32 width, u32 is_layer, float plus, float epsilon) {
    u64 start = (u64)blockIdx.x * width;
    const float *row = numbers + start, *gradient = gradients + start;
    float mean, inverse, along = 0.0f, level = 0.0f;
    statistics(row, width, is_layer, epsilon, &mean, &inverse);
    WITHIN(at, width) {
        float value = gradient[at] * (weight[at] + plus);
        along += value * (row[at] - mean);
        level += value;
    }
    along = block_sum(along) / width * inverse * inverse;
    level = is_layer ? block_sum(level) / width : 0.0f;
    WITHIN(at, width) {
        float value = gradient[at] * (weight[at] + plus);
        out[start + at] = (value - level - (row[at] - mean) * along) * inverse;
    }
    if (of_rows && threadIdx.x == 0) {
        of_rows[2 * blockIdx.x] = mean;
        of_rows[2 * blockIdx.x + 1] = inverse;
    }
}

// The gradients of weight and bias.
extern "C" __global__ void normalise_weights(float *of_weight, float *of_bias, const float *numbers, const float *gradients,
                                        const float *of_rows, u32 rows, u32 width) {
    EACH(col, width) {
        float weight = 0.0f, bias = 0.0f;
        for (u64 row = 0; row < rows; row++) {
            float gradient = gradients[row * width + col];
            weight += gradient * (numbers[row * width + col] - of_rows[2 * row]) * of_rows[2 * row + 1];
            bias += gradient;
        }
        of_weight[col] = weight;
        of_bias[col] = bias;
    }
}

// Bends logits towards their largest size.
extern "C" __global__ void cap_logits(float *logits, float cap, u64 count) {
    EACH(at, count) logits[at] = tanhf(logits[at] / cap) * cap;
}

// The log-probability of a target for each row of logits; a block for each. With `squares`, the logarithm of the sum of the
// squared probabilities. With `gradient`, the gradient takes the place of the logits, times `factors` if there are any.
extern "C" __global__ void score(float *logits, const u32 *targets, float *log_probs, float *squares,
                                 const float *factors, float cap, u32 gradient, u32 width) {
    float *row = logits + (u64)blockIdx.x * width;
    if (cap > 0.0f) {
        WITHIN(at, width) row[at] = tanhf(row[at] / cap) * cap;
        __syncthreads();
    }
    u32 target = targets[blockIdx.x];
    float logit = row[target], most = LOWEST, total = 0.0f;
    WITHIN(at, width) most = fmaxf(most, row[at]);
    most = block_most(most);
    WITHIN(at, width) total += expf(row[at] - most);
    float normal = most + logf(block_sum(total));
    if (squares) {
        float sum = 0.0f;
        WITHIN(at, width) sum += expf(2.0f * (row[at] - normal));
        sum = block_sum(sum);
        if (threadIdx.x == 0) squares[blockIdx.x] = logf(sum);
    }
    if (log_probs && threadIdx.x == 0) log_probs[blockIdx.x] = logit - normal;
    if (!gradient) return;
    float factor = factors ? factors[blockIdx.x] : 1.0f;
    WITHIN(at, width) {
        float bent = row[at], slope = (at == target ? 1.0f : 0.0f) - expf(bent - normal);
        if (cap > 0.0f) slope *= 1.0f - (bent / cap) * (bent / cap);
        row[at] = slope * factor;
    }
}
