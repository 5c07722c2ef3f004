// Chebyshev's fit, whose relative error is below 1.2e-7 (Press et al., Numerical Recipes).
float expf(float);
static float error_function(float x) {
  static const float p[] = {-1.26551223f, 1.00002368f, 0.37409196f, 0.09678418f, -0.18628806f,
                            0.27886807f, -1.13520398f, 1.48851587f, -0.82215223f, 0.17087277f};
  const float size = x < 0.0f ? -x : x, t = 1.0f / (1.0f + 0.5f * size);
  float sum = p[9];
  for (int i = 8; i >= 0; --i) sum = sum * t + p[i];
  const float rest = t * expf(-size * size + sum);
  return x < 0.0f ? rest - 1.0f : 1.0f - rest;
}
