#include "core/containers/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/containers/gguf_cursor.h"
#include "core/containers/tensor_info.h"
#include "core/error.h"

namespace octet {
namespace {

constexpr uint64_t kMaxArray = uint64_t{1} << 24;   // elements; vocabularies have below 2^19
constexpr uint64_t kMaxString = uint64_t{1} << 26;  // bytes
constexpr uint64_t kMaxKey = 65535;                 // the format's own limit
constexpr uint64_t kMaxName = 64;                   // likewise
constexpr int64_t kMaxAlignment = 1 << 20;
constexpr size_t kChunk = size_t{1} << 20;  // bytes dequantized at a time, at most

constexpr uint64_t kMinTensor = 32;  // bytes: empty name, rank 1, type, offset
constexpr uint64_t kMinKey = 13;     // bytes: empty key, kind, one byte

enum Kind : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

// Bytes a value of the kind takes at least; 0 for unknown kinds.
uint64_t minimum_size(uint32_t kind) {
  constexpr uint64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return kind < std::size(kSizes) ? kSizes[kind] : 0;
}

int64_t read_integer(GgufCursor& in, uint32_t kind, const std::string& key) {
  switch (kind) {
    case kU8:
      return in.number<uint8_t>();
    case kI8:
      return in.number<int8_t>();
    case kU16:
      return in.number<uint16_t>();
    case kI16:
      return in.number<int16_t>();
    case kU32:
      return in.number<uint32_t>();
    case kI32:
      return in.number<int32_t>();
    case kI64:
      return in.number<int64_t>();
    default:
      break;
  }
  const auto value = in.number<uint64_t>();
  if (value > static_cast<uint64_t>(INT64_MAX)) {
    in.bad(fmt::format("value {} of key {}", value, key), "at most 2^63 - 1");
  }
  return static_cast<int64_t>(value);
}

double read_real(GgufCursor& in, uint32_t kind) {
  return kind == kF32 ? static_cast<double>(in.number<float>()) : in.number<double>();
}

bool read_bool(GgufCursor& in, const std::string& key) {
  const auto value = in.number<uint8_t>();
  if (value > 1) in.bad(fmt::format("boolean {} of key {}", value, key), "0 or 1");
  return value == 1;
}

template <typename T, typename Read>
GgufFile::Value read_items(uint64_t count, Read read) {
  std::vector<T> items;
  items.reserve(count);
  for (uint64_t i = 0; i < count; ++i) items.push_back(read());
  return items;
}

GgufFile::Value read_array(GgufCursor& in, const std::string& key) {
  const auto kind = in.number<uint32_t>();
  const auto count = in.number<uint64_t>();
  const uint64_t each = minimum_size(kind);
  if (each == 0 || kind == kArray) {
    in.bad(fmt::format("array of kind {} for key {}", kind, key),
           "an array of numbers, booleans or strings");
  }
  if (count > kMaxArray || count > in.left() / each) {
    in.bad(fmt::format("array of {} elements for key {}", count, key),
           fmt::format("at most {}", std::min(kMaxArray, in.left() / each)));
  }
  switch (kind) {
    case kF32:
    case kF64:
      return read_items<double>(count, [&] { return read_real(in, kind); });
    case kBool:
      return read_items<bool>(count, [&] { return read_bool(in, key); });
    case kString:
      return read_items<std::string>(count,
                                     [&] { return in.text(kMaxString, "a string of key " + key); });
    default:
      return read_items<int64_t>(count, [&] { return read_integer(in, kind, key); });
  }
}

GgufFile::Value read_value(GgufCursor& in, const std::string& key) {
  const auto kind = in.number<uint32_t>();
  if (minimum_size(kind) == 0) in.bad(fmt::format("kind {} of key {}", kind, key), "0 to 12");
  switch (kind) {
    case kF32:
    case kF64:
      return read_real(in, kind);
    case kBool:
      return read_bool(in, key);
    case kString:
      return in.text(kMaxString, "the text of key " + key);
    case kArray:
      return read_array(in, key);
    default:
      return read_integer(in, kind, key);
  }
}

// The begin is relative to the data section until the section's place is known.
GgufFile::Tensor read_tensor(GgufCursor& in) {
  GgufFile::Tensor tensor;
  tensor.name = in.text(kMaxName, "a tensor name");
  const auto rank = in.number<uint32_t>();
  if (rank < 1 || rank > 4)
    in.bad(fmt::format("rank {} of tensor {}", rank, tensor.name), "1 to 4");
  for (uint32_t i = 0; i < rank; ++i) {
    const auto dimension = in.number<uint64_t>();
    if (dimension < 1 || dimension > static_cast<uint64_t>(INT64_MAX)) {
      in.bad(fmt::format("dimension {} of tensor {}", dimension, tensor.name), "1 to 2^63 - 1");
    }
    tensor.shape.insert(tensor.shape.begin(), static_cast<int64_t>(dimension));
  }
  tensor.type = static_cast<GgmlType>(in.number<uint32_t>());
  tensor.begin = in.number<uint64_t>();
  return tensor;
}

uint64_t tensor_size(const GgufCursor& in, const GgufFile::Tensor& tensor) {
  uint64_t count = 0, size = 0;
  GgmlTypeTraits type{};
  try {
    type = traits(tensor.type);
    count = static_cast<uint64_t>(element_count({tensor.name, Dtype::kU8, tensor.shape}));
  } catch (const Error& error) {
    throw Error(fmt::format("{} (tensor {}) in {}", error.found(), tensor.name, in.path().string()),
                error.expected(), error.remedy());
  }
  if (tensor.shape.back() % type.block != 0) {
    in.bad(fmt::format("{} weights a row of {} tensor {}", tensor.shape.back(), type.name,
                       tensor.name),
           fmt::format("a multiple of {}", type.block));
  }
  if (__builtin_mul_overflow(count / static_cast<uint64_t>(type.block),
                             static_cast<uint64_t>(type.bytes), &size)) {
    in.bad(fmt::format("{} weights in tensor {}", count, tensor.name), "a size that fits 64 bits");
  }
  return size;
}

uint64_t read_alignment(const GgufCursor& in,
                        const std::map<std::string, GgufFile::Value>& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const auto* value = std::get_if<int64_t>(&found->second);
  if (value == nullptr || *value < 1 || *value > kMaxAlignment || (*value & (*value - 1)) != 0) {
    in.bad(value == nullptr ? "general.alignment that is not an integer"
                            : fmt::format("general.alignment {}", *value),
           fmt::format("a power of two up to {}", kMaxAlignment));
  }
  return static_cast<uint64_t>(*value);
}

// Makes the tensors' offsets absolute and checks that they are aligned, inside the file and
// disjoint.
void place_tensors(const GgufCursor& in, uint64_t alignment,
                   std::map<std::string, GgufFile::Tensor>& tensors) {
  const uint64_t data = (in.position() + alignment - 1) / alignment * alignment;
  const uint64_t end = in.position() + in.left();
  const uint64_t room = end > data ? end - data : 0;
  std::vector<const GgufFile::Tensor*> order;
  for (auto& [name, tensor] : tensors) {
    tensor.size = tensor_size(in, tensor);
    if (tensor.begin % alignment != 0) {
      in.bad(fmt::format("offset {} of tensor {}", tensor.begin, name),
             fmt::format("a multiple of {}", alignment));
    }
    if (tensor.begin > room || tensor.size > room - tensor.begin) {
      in.bad(
          fmt::format("{} bytes at {} of the data for tensor {}", tensor.size, tensor.begin, name),
          fmt::format("a place within {} bytes of data", room));
    }
    tensor.begin += data;
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->begin < b->begin; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->begin + order[i - 1]->size > order[i]->begin) {
      in.bad(fmt::format("tensor {} overlapping {}", order[i]->name, order[i - 1]->name),
             "tensors apart from each other");
    }
  }
}

struct Counts {
  uint64_t tensors, keys;
};

Counts read_preamble(GgufCursor& in) {
  const auto magic = in.number<std::array<char, 4>>();
  if (std::string_view(magic.data(), 4) != "GGUF") in.bad("no GGUF magic", "a GGUF file");
  const auto version = in.number<uint32_t>();
  if (version != 3) in.bad(fmt::format("GGUF version {}", version), "version 3, little-endian");
  const auto tensors = in.number<uint64_t>(), keys = in.number<uint64_t>();
  if (tensors > in.left() / kMinTensor || keys > in.left() / kMinKey) {
    in.bad(fmt::format("counts of {} tensors and {} keys", tensors, keys),
           fmt::format("what fits the {} bytes left", in.left()));
  }
  return {tensors, keys};
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path) : file_(path) {
  GgufCursor in(file_);
  const Counts counts = read_preamble(in);
  for (uint64_t i = 0; i < counts.keys; ++i) {
    auto key = in.text(kMaxKey, "a key");
    auto value = read_value(in, key);
    if (!metadata_.emplace(key, std::move(value)).second) {
      in.bad(fmt::format("key {} twice", key), "each key once");
    }
  }
  for (uint64_t i = 0; i < counts.tensors; ++i) {
    auto tensor = read_tensor(in);
    const auto name = tensor.name;
    if (!tensors_.emplace(name, std::move(tensor)).second) {
      in.bad(fmt::format("tensor {} twice", name), "each tensor once");
    }
  }
  place_tensors(in, read_alignment(in, metadata_), tensors_);
}

const GgufFile::Tensor& GgufFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    throw Error(fmt::format("no tensor {} in {}", name, path().string()),
                "the tensors of its architecture", "use a complete model file");
  }
  return found->second;
}

void GgufFile::dequantize(const Tensor& tensor, std::span<float> out) const {
  const auto [name, block, bytes] = traits(tensor.type);
  const uint64_t count = tensor.size / static_cast<uint64_t>(bytes) * static_cast<uint64_t>(block);
  if (out.size() != count) {
    throw Error(fmt::format("a buffer of {} floats for tensor {}", out.size(), tensor.name),
                fmt::format("{}", count), "size it by the shape");
  }
  dequantize(tensor, 0, out);
}

void GgufFile::dequantize(const Tensor& tensor, uint64_t first, std::span<float> out) const {
  const GgmlTypeTraits type = traits(tensor.type);
  const auto block = static_cast<uint64_t>(type.block), bytes = static_cast<uint64_t>(type.bytes);
  const uint64_t end = first + out.size();
  if (end > tensor.size / bytes * block) {
    throw Error(fmt::format("elements {} to {} of tensor {}", first, end, tensor.name),
                fmt::format("at most {}", tensor.size / bytes * block), "size it by the shape");
  }
  if (first % block != 0 || out.size() % block != 0) {
    const uint64_t begin = first / block * block;
    std::vector<float> whole((end + block - 1) / block * block - begin);
    dequantize(tensor, begin, whole);
    std::copy_n(whole.begin() + static_cast<int64_t>(first - begin), out.size(), out.begin());
    return;
  }
  const uint64_t step = kChunk / bytes, last = end / block;
  std::vector<std::byte> buffer(std::min(step, out.size() / block) * bytes);
  for (uint64_t at = first / block; at < last; at += step) {
    const uint64_t count = std::min(step, last - at);
    const auto part = std::span(buffer).first(count * bytes);
    file_.read_at(tensor.begin + at * bytes, part);
    dequantize_blocks(tensor.type, part, out.subspan(at * block - first, count * block));
  }
}

}  // namespace octet
