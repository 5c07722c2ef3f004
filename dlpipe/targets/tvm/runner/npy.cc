#include "npy.h"

#include <stdlib.h>
#include <string.h>

namespace {

struct TypeName {
  const char* name;
  DLDataType dtype;
};

constexpr TypeName kTypes[] = {
    {"<f4", {kDLFloat, 32, 1}}, {"<f8", {kDLFloat, 64, 1}}, {"<f2", {kDLFloat, 16, 1}}, {"|i1", {kDLInt, 8, 1}},
    {"<i2", {kDLInt, 16, 1}},   {"<i4", {kDLInt, 32, 1}},   {"<i8", {kDLInt, 64, 1}},   {"|u1", {kDLUInt, 8, 1}},
    {"<u2", {kDLUInt, 16, 1}},  {"<u4", {kDLUInt, 32, 1}},  {"<u8", {kDLUInt, 64, 1}},  {"|b1", {kDLBool, 8, 1}},
};

constexpr uint32_t kMaxHeader = 1 << 16;
constexpr uint32_t kAlignment = 64;  // the data begins at a multiple of this

bool same(DLDataType a, DLDataType b) { return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes; }

// The text after `'key':` and its spaces, in the Python dictionary that is the header.
const char* value_of(const char* header, const char* key) {
  const char* found = strstr(header, key);
  if (found == nullptr) return nullptr;
  found = strchr(found, ':');
  if (found == nullptr) return nullptr;
  ++found;
  while (*found == ' ') ++found;
  return found;
}

const char* parse(const char* header, NpyFile* out) {
  const char* descr = value_of(header, "'descr'");
  const char* order = value_of(header, "'fortran_order'");
  const char* shape = value_of(header, "'shape'");
  if (descr == nullptr || order == nullptr || shape == nullptr) return "not a .npy header";
  if (strncmp(order, "False", 5) != 0) return "Fortran order is not supported";
  bool known = false;
  for (const TypeName& type : kTypes) {
    if (strncmp(descr + 1, type.name, 3) == 0) {
      out->dtype = type.dtype;
      known = true;
    }
  }
  if (!known) return "this element type is not supported";
  int64_t dims[kMaxRank + 1];
  int32_t rank = 0;
  const char* at = shape + 1;
  while (*at != ')') {
    char* end = nullptr;
    int64_t dim = strtoll(at, &end, 10);
    if (end == at || dim < 0 || rank > kMaxRank) return "unreadable shape";
    dims[rank++] = dim;
    at = end;
    while (*at == ',' || *at == ' ') ++at;
  }
  if (rank == 0) return "the first dimension must count the samples";
  out->count = dims[0];
  out->rank = rank - 1;
  memcpy(out->shape, dims + 1, sizeof(int64_t) * static_cast<size_t>(rank - 1));
  return nullptr;
}

}  // namespace

uint64_t tensor_bytes(DLDataType dtype, const int64_t* shape, int32_t rank) {
  uint64_t bytes = (static_cast<uint64_t>(dtype.bits) * dtype.lanes + 7) / 8;
  for (int32_t i = 0; i < rank; ++i) {
    if (shape[i] < 0) return UINT64_MAX;
    if (shape[i] != 0 && bytes > (UINT64_MAX >> 1) / static_cast<uint64_t>(shape[i])) return UINT64_MAX;
    bytes *= static_cast<uint64_t>(shape[i]);
  }
  return bytes;
}

const char* npy_open(const char* path, NpyFile* out) {
  out->file = fopen(path, "rb");
  if (out->file == nullptr) return "cannot be opened";
  unsigned char start[12];
  if (fread(start, 1, 10, out->file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0) return "not a .npy file";
  uint32_t length = start[8] | static_cast<uint32_t>(start[9]) << 8;
  if (start[6] >= 2) {
    if (fread(start + 10, 1, 2, out->file) != 2) return "truncated";
    length |= static_cast<uint32_t>(start[10]) << 16 | static_cast<uint32_t>(start[11]) << 24;
  }
  if (length > kMaxHeader) return "its header is too long";
  char* header = static_cast<char*>(calloc(length + 1, 1));
  if (header == nullptr) return "out of memory";
  const char* wrong = fread(header, 1, length, out->file) == length ? parse(header, out) : "truncated";
  free(header);
  if (wrong != nullptr) return wrong;
  out->sample_bytes = tensor_bytes(out->dtype, out->shape, out->rank);
  return out->sample_bytes == UINT64_MAX ? "its shape is too large" : nullptr;
}

const char* npy_create(const char* path, const DLTensor* sample, int64_t count, NpyFile* out) {
  const char* type = nullptr;
  for (const TypeName& each : kTypes) {
    if (same(each.dtype, sample->dtype)) type = each.name;
  }
  if (type == nullptr) return "this element type is not supported";
  if (sample->ndim > kMaxRank) return "too many dimensions";
  out->dtype = sample->dtype;
  out->count = count;
  out->rank = sample->ndim;
  memcpy(out->shape, sample->shape, sizeof(int64_t) * static_cast<size_t>(sample->ndim));
  out->sample_bytes = tensor_bytes(out->dtype, out->shape, out->rank);
  if (out->sample_bytes == UINT64_MAX) return "its shape is too large";
  char header[1024];
  int used = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%lld,", type,
                      static_cast<long long>(count));
  for (int32_t i = 0; i < out->rank; ++i) {
    used += snprintf(header + used, sizeof header - static_cast<size_t>(used), " %lld,",
                     static_cast<long long>(out->shape[i]));
  }
  used += snprintf(header + used, sizeof header - static_cast<size_t>(used), "), }");
  while ((used + 11) % kAlignment != 0) header[used++] = ' ';
  header[used++] = '\n';
  out->file = fopen(path, "wbx");
  if (out->file == nullptr) return "cannot be created, or exists already";
  unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<unsigned char>(used & 255),
                             static_cast<unsigned char>(used >> 8)};
  if (fwrite(start, 1, 10, out->file) != 10) return "cannot be written";
  if (fwrite(header, 1, static_cast<size_t>(used), out->file) != static_cast<size_t>(used)) return "cannot be written";
  return nullptr;
}
