// Weights [out][in]; bias may be left out.
static void connected_float(int rows, int in, int out, const float *x, const float *w, const float *bias, float low,
                            float high, float *y) {
  for (int r = 0; r < rows; ++r, x += in)
    for (int o = 0; o < out; ++o) {
      float sum = bias ? bias[o] : 0.0f;
      const float *b = w + (size_t)o * in;
      for (int i = 0; i < in; ++i) sum += x[i] * b[i];
      *y++ = sum < low ? low : sum > high ? high : sum;
    }
}
