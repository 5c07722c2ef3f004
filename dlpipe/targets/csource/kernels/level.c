// The 8-bit level of x, rounded to the nearest, halves to even, and kept within [low, high].
static int8_t level(float x, int zero, int low, int high) {
  const float most = (float)(high - zero), least = (float)(low - zero);
  x = x > most ? most : x < least ? least : x;
  return (int8_t)((int)((x + 12582912.0f) - 12582912.0f) + zero);
}
