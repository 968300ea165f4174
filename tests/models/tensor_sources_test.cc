// Tensor sources: the same bytes in whatever pieces they are read, and as tensors of torch.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernels/cpu/weights/block_scales.h"
#include "models/weights/block_scaled_tensors.h"
#include "models/weights/checkpoint_tensors.h"
#include "models/weights/gguf_tensors.h"
#include "models/weights/weight_sources.h"
#include "tests/core/gguf_builder.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using testing::gguf_key;
using testing::gguf_tensor;
using ::testing::HasSubstr;
using testing::raw;

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Bytes that torch has no dtype for.
class RawTensors : public TensorSource {
 public:
  void put(TensorInfo info, std::string bytes) {
    bytes_[info.name] = std::move(bytes);
    add(std::move(info));
  }
  std::shared_ptr<const TensorReader> open(const std::string& name) override {
    struct Reader : TensorReader {
      std::string bytes;
      void read(uint64_t offset, std::span<std::byte> out) const override {
        std::memcpy(out.data(), bytes.data() + offset, out.size());
      }
    };
    auto reader = std::make_shared<Reader>();
    reader->bytes = bytes_.at(name);
    return reader;
  }

 private:
  std::map<std::string, std::string> bytes_;
};

std::string read(const TensorReader& reader, uint64_t offset, size_t size) {
  std::string out(size, '?');
  reader.read(offset, std::as_writable_bytes(std::span(out)));
  return out;
}

/// Reads `name` in pieces of several sizes, none of them a row.
void expect_bytes(TensorSource& source, const std::string& name, const std::string& expected) {
  ASSERT_EQ(byte_count(source.info(name)), expected.size());
  const auto reader = source.open(name);
  EXPECT_EQ(read(*reader, 0, expected.size()), expected);
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{7}, size_t{1000}}) {
    std::string all;
    while (all.size() < expected.size()) {
      all += read(*reader, all.size(), std::min(piece, expected.size() - all.size()));
    }
    EXPECT_EQ(all, expected) << "pieces of " << piece;
  }
}

TEST(TensorSources, OfMemory) {
  at::manual_seed(1);
  const at::Tensor a = at::randn({5, 7}), b = at::randn({7, 5}).to(at::kHalf).t();
  MemoryTensors source({{"b", b}, {"a", a}});
  ASSERT_EQ(source.tensors().size(), 2U);
  EXPECT_EQ(source.tensors()[0].name, "a");
  EXPECT_EQ(source.tensors()[1].dtype, Dtype::kF16);
  EXPECT_EQ(source.tensors()[1].shape, (std::vector<int64_t>{5, 7}));
  expect_bytes(source, "a", bytes_of(a));
  expect_bytes(source, "b", bytes_of(b.contiguous()));
  EXPECT_THAT(error_of([&] { source.open("c"); }), HasSubstr("no tensor c in the checkpoint"));
}

TEST(TensorSources, TheAdaptorGivesWholeTensorsAndRefusesWhatIsNotFinite) {
  at::manual_seed(2);
  // More than one thread's part, an empty one, and a scalar.
  const at::Tensor large = at::randn({3000, 257}), none = at::empty({0, 3}), one = at::ones({});
  at::Tensor damaged = at::zeros({4, 9}).to(at::kHalf);
  damaged.view({-1})[23].fill_(std::numeric_limits<float>::infinity());
  const auto weights =
      memory_weights({{"large", large}, {"none", none}, {"one", one}, {"damaged", damaged}});
  EXPECT_TRUE(at::equal(weights->get("large").dense, large));
  EXPECT_EQ(weights->get("none").dense.sizes(), none.sizes());
  EXPECT_TRUE(at::equal(weights->get("one").dense, one));
  EXPECT_TRUE(weights->has("damaged"));
  EXPECT_FALSE(weights->has("other"));
  EXPECT_THAT(error_of([&] { weights->get("damaged"); }),
              HasSubstr("inf at element 23 of tensor damaged"));
  EXPECT_THAT(error_of([&] { weights->get("other"); }), HasSubstr("no tensor other"));
}

TEST(TensorSources, OfACheckpointOutliveIt) {
  const testing::TempDir folder;
  const at::Tensor a = at::arange(60, at::kFloat).view({6, 10});
  {
    SafetensorsWriter writer(folder / "model.safetensors", {{"a", Dtype::kF32, {6, 10}}});
    writer.write("a", std::as_bytes(std::span(a.const_data_ptr<float>(), 60)));
    writer.commit();
  }
  std::shared_ptr<const TensorReader> reader;
  {
    CheckpointTensors source(std::make_shared<Checkpoint>(folder.path()));
    expect_bytes(source, "a", bytes_of(a));
    reader = source.open("a");
  }
  EXPECT_EQ(read(*reader, 40, 8), bytes_of(a).substr(40, 8));
}

TEST(TensorSources, BlockScaledAreAnySourceInFloats) {
  const int64_t n = 130, k = 140;
  std::string codes(static_cast<size_t>(n * k), '\0');
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<char>(i % 120);
  const at::Tensor factors = at::arange(1, 5, at::kFloat).view({2, 2});
  auto stored = std::make_shared<RawTensors>();
  stored->put({"w", Dtype::kF8E4M3, {n, k}}, codes);
  stored->put({"w_scale_inv", Dtype::kF32, {2, 2}}, bytes_of(factors));
  stored->put({"kept", Dtype::kF32, {2, 2}}, bytes_of(factors));
  at::Tensor expected = at::empty({n, k});
  cpu::widen_e4m3(reinterpret_cast<const uint8_t*>(codes.data()), factors.const_data_ptr<float>(),
                  0, n, k, expected.data_ptr<float>());
  BlockScaledTensors wide(stored, {{"w", "w_scale_inv"}}, {});
  EXPECT_FALSE(wide.has("w_scale_inv"));
  EXPECT_TRUE(wide.has("kept"));
  expect_bytes(wide, "w", bytes_of(expected));
  BlockScaledTensors narrow(stored, {{"w", "w_scale_inv"}}, {"w"});
  expect_bytes(narrow, "w", bytes_of(expected.to(at::kBFloat16)));
  TensorWeights weights(std::make_shared<BlockScaledTensors>(
      stored, std::map<std::string, std::string>{{"w", "w_scale_inv"}}, std::set<std::string>{}));
  EXPECT_TRUE(at::equal(weights.get("w").dense, expected));
}

/// A llama file with two heads of four rows: a query projection, its bias, and a down projection.
std::shared_ptr<const GgufFile> llama_file(const testing::TempDir& folder, const at::Tensor& query,
                                           const at::Tensor& bias, const at::Tensor& down) {
  const uint32_t u32 = 4, text = 8;
  const uint64_t bias_at = (query.nbytes() + 31) / 32 * 32, down_at = bias_at + 32;
  std::string data = bytes_of(query);
  data.resize(bias_at, '\0');
  data += bytes_of(bias);
  data.resize(down_at, '\0');
  data += bytes_of(down);
  testing::put(
      folder / "m.gguf",
      testing::gguf_file({gguf_key("general.architecture", text, testing::gguf_text("llama")),
                          gguf_key("llama.attention.head_count", u32, raw(uint32_t{2}))},
                         {gguf_tensor("blk.0.attn_q.weight", {6, 8}, 0, 0),
                          gguf_tensor("blk.0.attn_q.bias", {8}, 0, bias_at),
                          gguf_tensor("blk.0.ffn_down.weight", {3, 5}, 1, down_at),
                          gguf_tensor("blk.0.other.weight", {3, 5}, 1, down_at + 32)},
                         data + std::string(64, '\0')));
  return std::make_shared<GgufFile>(folder / "m.gguf");
}

TEST(TensorSources, OfGgufAreUnpermutedRowByRow) {
  at::manual_seed(3);
  const testing::TempDir folder;
  const at::Tensor query = at::randn({8, 6}), bias = at::randn({8}),
                   down = at::randn({5, 3}).to(at::kHalf);
  const auto file = llama_file(folder, query, bias, down);
  // [heads, pairs, 2] rows as [heads, 2, pairs].
  const at::Tensor rows = query.view({2, 2, 2, 6}).transpose(1, 2).reshape({8, 6});
  const at::Tensor elements = bias.view({2, 2, 2}).transpose(1, 2).reshape({8});
  const std::string layer = "model.layers.0.";
  GgufTensors exact(file, Dtype::kF32);
  expect_bytes(exact, layer + "self_attn.q_proj.weight", bytes_of(rows));
  expect_bytes(exact, layer + "self_attn.q_proj.bias", bytes_of(elements));
  expect_bytes(exact, layer + "mlp.down_proj.weight", bytes_of(down.to(at::kFloat)));
  EXPECT_EQ(exact.unknown(), std::vector<std::string>{"blk.0.other.weight"});
  GgufTensors half(file);
  expect_bytes(half, layer + "self_attn.q_proj.weight", bytes_of(rows.to(at::kHalf)));
  expect_bytes(half, layer + "mlp.down_proj.weight", bytes_of(down));
}

}  // namespace
}  // namespace octet
