// GGUF v3 reader. Format: ggml-org/ggml docs/gguf.md; block layouts: ggml-common.h, ggml-quants.c.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/io/input_file.h"

namespace octet {

/// Values are the type numbers of the file format. Only these can be dequantized.
enum class GgmlType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ6_K = 14,
  kBF16 = 30
};

struct GgmlTypeTraits {
  const char* name;
  int64_t block;  ///< weights per block
  int64_t bytes;  ///< bytes per block
};
/// Error for types outside GgmlType.
GgmlTypeTraits traits(GgmlType type);

class GgufFile {
 public:
  /// Numbers are widened: unsigned and signed integers to int64 (u64 above int64's maximum is an
  /// Error), floats to double.
  using Value = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                             std::vector<double>, std::vector<std::string>, std::vector<bool>>;
  struct Tensor {
    std::string name;
    GgmlType type;
    std::vector<int64_t> shape;  ///< outermost first (reversed from the file), rank 1 to 4
    uint64_t begin, size;        ///< byte range in the file
  };
  /// Checks the whole header (magic, version 3, counts against the file's size, string lengths,
  /// duplicate keys and names, alignment a power of two, offsets aligned, in bounds and not
  /// overlapping).
  explicit GgufFile(const std::filesystem::path& path);
  const std::map<std::string, Value>& metadata() const { return metadata_; }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  bool has(const std::string& key) const { return metadata_.contains(key); }
  /// Typed access; Error naming the key when absent or of another type. real() accepts integers.
  int64_t integer(const std::string& key) const;
  double real(const std::string& key) const;
  const std::string& text(const std::string& key) const;
  const std::vector<std::string>& texts(const std::string& key) const;
  const std::vector<int64_t>& integers(const std::string& key) const;
  const Tensor& tensor(const std::string& name) const;
  /// The tensor as float32 [shape], C order; out.size() must be the element count.
  void dequantize(const Tensor& tensor, std::span<float> out) const;
  /// The elements from `first` on, as many as `out` has.
  void dequantize(const Tensor& tensor, uint64_t first, std::span<float> out) const;
  /// The file itself, for reading in pieces.
  const InputFile& file() const { return file_; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  InputFile file_;
  std::map<std::string, Value> metadata_;
  std::map<std::string, Tensor> tensors_;
};

/// Dequantizes `count` weights (a multiple of the type's block) from packed blocks.
void dequantize_blocks(GgmlType type, std::span<const std::byte> blocks, std::span<float> out);

}  // namespace octet
