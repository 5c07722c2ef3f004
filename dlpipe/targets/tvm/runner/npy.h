// NumPy's .npy files, format 1.0 to 3.0, C order, little-endian: just what a model's inputs and outputs need.
#pragma once

#include <dlpack/dlpack.h>
#include <stdint.h>
#include <stdio.h>

constexpr int kMaxRank = 16;

// An open .npy file that holds N samples: its shape is [N, *shape of one sample].
struct NpyFile {
  FILE* file;
  DLDataType dtype;
  int64_t count;            // N
  int32_t rank;             // of one sample
  int64_t shape[kMaxRank];  // of one sample
  uint64_t sample_bytes;
};

// Both return nullptr, or what is wrong.
const char* npy_open(const char* path, NpyFile* out);
const char* npy_create(const char* path, const DLTensor* sample, int64_t count, NpyFile* out);

// The size of a tensor in bytes, or UINT64_MAX when it does not fit into 63 bits or a dimension is negative.
uint64_t tensor_bytes(DLDataType dtype, const int64_t* shape, int32_t rank);
