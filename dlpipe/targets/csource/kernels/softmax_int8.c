// powers: exp(-d * scale) for a level d below the greatest. Gives levels of 1/256 from -128 on.
static void softmax_int8(int rows, int count, const int8_t *x, const float *powers, int8_t *y) {
  for (int r = 0; r < rows; ++r, x += count, y += count) {
    int most = -128;
    float sum = 0.0f;
    for (int i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
    for (int i = 0; i < count; ++i) sum += powers[most - x[i]];
    for (int i = 0; i < count; ++i) y[i] = level(256.0f * powers[most - x[i]] / sum, -128, -128, 127);
  }
}
