// Without a C library's own: a series near zero, where the quotient would lose digits.
static float tangent(float x) {
  const float size = x < 0.0f ? -x : x, square = x * x;
  if (size < 0.3f)
    return x * (1.0f + square * (-0.333333333f + square * (0.133333333f + square * (-0.0539682540f + square * 0.0218694885f))));
  const float whole = size > 9.1f ? 1.0f : 1.0f - 2.0f / (expf(2.0f * size) + 1.0f);
  return x < 0.0f ? -whole : whole;
}
