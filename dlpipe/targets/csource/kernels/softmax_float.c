static void softmax_float(int rows, int count, float beta, const float *x, float *y) {
  for (int r = 0; r < rows; ++r, x += count, y += count) {
    float most = x[0], sum = 0.0f;
    for (int i = 1; i < count; ++i) most = x[i] > most ? x[i] : most;
    for (int i = 0; i < count; ++i) sum += y[i] = expf(beta * (x[i] - most));
    for (int i = 0; i < count; ++i) y[i] /= sum;
  }
}
