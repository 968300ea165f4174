#include "core/containers/gguf.h"

#include <fmt/format.h>

#include "tests/core/gguf_builder.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using testing::gguf_file;
using testing::gguf_key;
using testing::gguf_tensor;
using testing::gguf_text;
using ::testing::HasSubstr;
using testing::put;
using testing::raw;
using testing::TempDir;

class Gguf : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return dir_ / "m.gguf"; }
  std::string refusal(const std::string& bytes) {
    put(path(), bytes);
    const auto message = error_of([this] { GgufFile file(path()); });
    EXPECT_THAT(message, HasSubstr("m.gguf"));
    return message;
  }
  TempDir dir_;
};

TEST_F(Gguf, ReadsEveryKindOfValue) {
  const std::vector<std::string> keys{
      gguf_key("u8", 0, raw(uint8_t{255})),
      gguf_key("i8", 1, raw(int8_t{-128})),
      gguf_key("u16", 2, raw(uint16_t{65535})),
      gguf_key("i16", 3, raw(int16_t{-32768})),
      gguf_key("u32", 4, raw(UINT32_MAX)),
      gguf_key("i32", 5, raw(INT32_MIN)),
      gguf_key("f32", 6, raw(1.5F)),
      gguf_key("bool", 7, raw(uint8_t{1})),
      gguf_key("text", 8, gguf_text("llama")),
      gguf_key("u64", 10, raw(uint64_t{INT64_MAX})),
      gguf_key("i64", 11, raw(INT64_MIN)),
      gguf_key("f64", 12, raw(0.1)),
      gguf_key("texts", 9, raw(uint32_t{8}) + raw(uint64_t{2}) + gguf_text("a") + gguf_text("")),
      gguf_key("ints", 9, raw(uint32_t{3}) + raw(uint64_t{2}) + raw(int16_t{-1}) + raw(int16_t{7})),
      gguf_key("reals", 9, raw(uint32_t{6}) + raw(uint64_t{1}) + raw(2.5F)),
      gguf_key("bools", 9, raw(uint32_t{7}) + raw(uint64_t{2}) + raw(uint8_t{0}) + raw(uint8_t{1})),
      gguf_key("none", 9, raw(uint32_t{8}) + raw(uint64_t{0})),
  };
  put(path(), gguf_file(keys, {}));
  const GgufFile file(path());
  EXPECT_EQ(file.metadata().size(), keys.size());
  EXPECT_EQ(file.integer("u8"), 255);
  EXPECT_EQ(file.integer("i8"), -128);
  EXPECT_EQ(file.integer("u16"), 65535);
  EXPECT_EQ(file.integer("i16"), -32768);
  EXPECT_EQ(file.integer("u32"), 4294967295);
  EXPECT_EQ(file.integer("i32"), INT32_MIN);
  EXPECT_EQ(file.integer("u64"), INT64_MAX);
  EXPECT_EQ(file.integer("i64"), INT64_MIN);
  EXPECT_EQ(file.real("f32"), 1.5);
  EXPECT_EQ(file.real("f64"), 0.1);
  EXPECT_EQ(file.real("u8"), 255.0);
  EXPECT_EQ(file.text("text"), "llama");
  EXPECT_EQ(std::get<bool>(file.metadata().at("bool")), true);
  EXPECT_THAT(file.texts("texts"), ElementsAre("a", ""));
  EXPECT_THAT(file.integers("ints"), ElementsAre(-1, 7));
  EXPECT_THAT(std::get<std::vector<double>>(file.metadata().at("reals")), ElementsAre(2.5));
  EXPECT_THAT(std::get<std::vector<bool>>(file.metadata().at("bools")), ElementsAre(false, true));
  EXPECT_TRUE(file.texts("none").empty());
  EXPECT_TRUE(file.has("text"));
  EXPECT_FALSE(file.has("gone"));
  EXPECT_THAT(error_of([&] { file.integer("gone"); }), HasSubstr("no key gone"));
  EXPECT_THAT(error_of([&] { file.integer("f32"); }),
              HasSubstr("another type of value for key f32"));
  EXPECT_THAT(error_of([&] { file.text("u8"); }), HasSubstr("a text"));
  EXPECT_THAT(error_of([&] { file.real("text"); }), HasSubstr("a number"));
  EXPECT_THAT(error_of([&] { file.integers("texts"); }), HasSubstr("integers"));
}

TEST_F(Gguf, ReadsTensors) {
  std::string data(32 + 34, '\0');
  const float values[] = {1, 2, 3, 4, 5, 6};
  std::memcpy(data.data(), values, sizeof(values));
  data.replace(32, 2, raw(uint16_t{0x4000}));  // d = 2
  for (int i = 0; i < 32; ++i) data[34 + static_cast<size_t>(i)] = static_cast<char>(i - 16);
  put(path(), gguf_file({}, {gguf_tensor("f", {3, 2}, 0, 0), gguf_tensor("q", {32}, 8, 32)}, data));
  const GgufFile file(path());
  EXPECT_THAT(file.tensor("f").shape, ElementsAre(2, 3));
  std::vector<float> f(6), q(32);
  file.dequantize(file.tensor("f"), f);
  EXPECT_THAT(f, ElementsAre(1, 2, 3, 4, 5, 6));
  file.dequantize(file.tensor("q"), q);
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(q[static_cast<size_t>(i)], static_cast<float>(2 * (i - 16)));
  EXPECT_THAT(error_of([&] { file.dequantize(file.tensor("f"), q); }), HasSubstr("a buffer of 32"));
  EXPECT_THAT(error_of([&] { file.tensor("gone"); }), HasSubstr("no tensor gone"));
}

TEST_F(Gguf, EveryTruncationIsAnError) {
  const std::string whole = gguf_file({gguf_key("general.architecture", 8, gguf_text("llama"))},
                                      {gguf_tensor("t", {32}, 2, 0)}, std::string(18, 'x'));
  put(path(), whole);
  EXPECT_NO_THROW(GgufFile file(path()));
  for (size_t size = 0; size < whole.size(); ++size) refusal(whole.substr(0, size));
}

TEST_F(Gguf, RefusesBrokenPreamble) {
  const auto head = [](uint32_t version, uint64_t tensors, uint64_t keys) {
    return "GGUF" + raw(version) + raw(tensors) + raw(keys) + std::string(64, '\0');
  };
  EXPECT_THAT(refusal("GGML" + std::string(60, '\0')), HasSubstr("no GGUF magic"));
  EXPECT_THAT(refusal(head(2, 0, 0)), HasSubstr("GGUF version 2"));
  EXPECT_THAT(refusal(head(0x03000000, 0, 0)), HasSubstr("little-endian"));
  EXPECT_THAT(refusal(head(3, UINT64_MAX, 0)), HasSubstr("counts of 18446744073709551615 tensors"));
  EXPECT_THAT(refusal(head(3, 0, uint64_t{1} << 40)), HasSubstr("1099511627776 keys"));
}

TEST_F(Gguf, RefusesBrokenValues) {
  const auto array = [](uint32_t kind, uint64_t count) {
    return raw(kind) + raw(count) + std::string(8, '\0');
  };
  const auto value = [this](uint32_t kind, const std::string& bytes) {
    return refusal(gguf_file({gguf_key("k", kind, bytes)}, {}));
  };
  EXPECT_THAT(value(13, raw(uint64_t{0})), HasSubstr("kind 13 of key k"));
  EXPECT_THAT(value(UINT32_MAX, raw(uint64_t{0})), HasSubstr("kind 4294967295"));
  EXPECT_THAT(value(7, raw(uint8_t{2})), HasSubstr("boolean 2"));
  EXPECT_THAT(value(10, raw(UINT64_MAX)), HasSubstr("value 18446744073709551615 of key k"));
  EXPECT_THAT(value(8, raw(UINT64_MAX)),
              HasSubstr("the text of key k of 18446744073709551615 bytes"));
  EXPECT_THAT(value(9, array(9, 1)), HasSubstr("array of kind 9"));
  EXPECT_THAT(value(9, array(99, 1)), HasSubstr("array of kind 99"));
  EXPECT_THAT(value(9, array(0, UINT64_MAX)), HasSubstr("array of 18446744073709551615 elements"));
  EXPECT_THAT(value(9, array(12, (uint64_t{1} << 61) + 1)), HasSubstr("elements for key k"));
  EXPECT_THAT(refusal("GGUF" + raw(uint32_t{3}) + raw(uint64_t{0}) + raw(uint64_t{1}) +
                      raw(UINT64_MAX / 2) + std::string(64, 'x')),
              HasSubstr("a key of 9223372036854775807 bytes"));
  const auto key = gguf_key("general.name", 0, raw(uint8_t{1}));
  EXPECT_THAT(refusal(gguf_file({key, key}, {})), HasSubstr("key general.name twice"));
}

TEST_F(Gguf, RefusesBrokenTensors) {
  const auto one = [this](const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    return refusal(
        gguf_file({}, {gguf_tensor("blk.0.w", dims, type, offset)}, std::string(256, 'x')));
  };
  EXPECT_THAT(one({}, 0, 0), HasSubstr("rank 0 of tensor blk.0.w"));
  EXPECT_THAT(one({1, 1, 1, 1, 1}, 0, 0), HasSubstr("rank 5"));
  EXPECT_THAT(one({4, 0}, 0, 0), HasSubstr("dimension 0"));
  EXPECT_THAT(one({UINT64_MAX}, 0, 0), HasSubstr("dimension 18446744073709551615"));
  EXPECT_THAT(one({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), HasSubstr("fits 63 bits"));
  EXPECT_THAT(one({uint64_t{1} << 62, 1}, 0, 0), HasSubstr("size that fits 64 bits"));
  EXPECT_THAT(one({32}, 13, 0), HasSubstr("ggml type number 13 (tensor blk.0.w)"));
  EXPECT_THAT(one({16, 2}, 8, 0), HasSubstr("16 weights a row of Q8_0"));
  EXPECT_THAT(one({128, 2}, 12, 0), HasSubstr("a multiple of 256"));
  EXPECT_THAT(one({4}, 0, 4), HasSubstr("offset 4 of tensor blk.0.w"));
  EXPECT_THAT(one({65}, 0, 0), HasSubstr("260 bytes at 0"));
  EXPECT_THAT(one({1}, 0, 256), HasSubstr("4 bytes at 256"));
  EXPECT_THAT(one({1}, 0, UINT64_MAX - 31), HasSubstr("a place within 256 bytes"));
  const auto tensor = [](const std::string& name, uint64_t offset) {
    return gguf_tensor(name, {16}, 0, offset);
  };
  EXPECT_THAT(refusal(gguf_file({}, {tensor("a", 0), tensor("b", 32)}, std::string(256, 'x'))),
              HasSubstr("tensor b overlapping a"));
  EXPECT_THAT(refusal(gguf_file({}, {tensor("a", 0), tensor("a", 64)}, std::string(256, 'x'))),
              HasSubstr("tensor a twice"));
  EXPECT_THAT(refusal(gguf_file({}, {tensor(std::string(65, 'n'), 0)}, std::string(256, 'x'))),
              HasSubstr("a tensor name of 65 bytes"));
}

TEST_F(Gguf, Alignment) {
  const auto file = [](uint32_t kind, const std::string& value, size_t alignment, uint64_t offset) {
    return gguf_file({gguf_key("general.alignment", kind, value)},
                     {gguf_tensor("t", {1}, 0, offset)}, std::string(64, 'x'), alignment);
  };
  EXPECT_THAT(refusal(file(4, raw(uint32_t{0}), 32, 0)), HasSubstr("general.alignment 0"));
  EXPECT_THAT(refusal(file(4, raw(uint32_t{24}), 32, 0)), HasSubstr("general.alignment 24"));
  EXPECT_THAT(refusal(file(4, raw(UINT32_MAX), 32, 0)), HasSubstr("a power of two"));
  EXPECT_THAT(refusal(file(5, raw(int32_t{-32}), 32, 0)), HasSubstr("general.alignment -32"));
  EXPECT_THAT(refusal(file(8, gguf_text("32"), 32, 0)), HasSubstr("not an integer"));
  EXPECT_THAT(refusal(file(4, raw(uint32_t{64}), 64, 32)), HasSubstr("a multiple of 64"));
  put(path(), file(4, raw(uint32_t{8}), 8, 8));
  const GgufFile good(path());
  EXPECT_EQ(good.tensor("t").begin % 8, 0U);
}

}  // namespace
}  // namespace octet
