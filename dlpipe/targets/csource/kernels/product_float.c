// Matrices [n][k] and [k][m]; the steps say how far apart their neighbours along an axis lie.
static void product_float(int n, int k, int m, const float *a, int a_row, int a_column, const float *b, int b_row,
                          int b_column, float *y) {
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < m; ++j) {
      float sum = 0.0f;
      for (int c = 0; c < k; ++c) sum += a[i * a_row + c * a_column] * b[c * b_row + j * b_column];
      *y++ = sum;
    }
}
