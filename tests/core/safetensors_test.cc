#include "core/containers/safetensors.h"

#include <fmt/format.h>

#include <cstring>

#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using testing::get;
using ::testing::HasSubstr;
using testing::put;
using testing::TempDir;

std::string with_length(const std::string& header, uint64_t length, const std::string& data) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

std::string file_of(const std::string& header, const std::string& data = "") {
  return with_length(header, header.size(), data);
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string read(const SafetensorsFile& file, const std::string& name) {
  const auto& entry = file.entries().at(name);
  std::string out(entry.end - entry.begin, '\0');
  file.read(entry, std::as_writable_bytes(std::span(out)));
  return out;
}

class Safetensors : public ::testing::Test {
 protected:
  std::filesystem::path path() const { return dir_ / "m.safetensors"; }
  std::string refusal(const std::string& bytes) {
    put(path(), bytes);
    const auto message = error_of([&] { SafetensorsFile file(path()); });
    EXPECT_THAT(message, HasSubstr("m.safetensors"));
    return message;
  }
  std::string header_refusal(const std::string& header, const std::string& data = "") {
    return refusal(file_of(header, data));
  }
  TempDir dir_;
};

TEST_F(Safetensors, ReadsAHandWrittenFile) {
  put(path(), file_of(R"({"__metadata__":{"format":"pt"},
    "b":{"dtype":"I8","shape":[2,2],"data_offsets":[4,8]},
    "z":{"dtype":"F64","shape":[0,7],"data_offsets":[4,4]},
    "a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}   )",
                      "abcdefgh"));
  const SafetensorsFile file(path());
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.entries().size(), 3U);
  EXPECT_EQ(read(file, "a"), "abcd");
  EXPECT_EQ(read(file, "b"), "efgh");
  EXPECT_EQ(read(file, "z"), "");
  EXPECT_THAT(file.entries().at("b").info.shape, ::testing::ElementsAre(2, 2));
  std::string wrong(3, 0);
  EXPECT_THAT(error_of([&] {
                file.read(file.entries().at("a"), std::as_writable_bytes(std::span(wrong)));
              }),
              HasSubstr("a buffer of 3 bytes"));
}

TEST_F(Safetensors, RefusesBrokenLengths) {
  EXPECT_THAT(refusal(""), HasSubstr("a file of 0 bytes"));
  EXPECT_THAT(refusal("1234567"), HasSubstr("a file of 7 bytes"));
  EXPECT_THAT(refusal(with_length("{}", 3, "")), HasSubstr("header length 3 with 2"));
  EXPECT_THAT(refusal(with_length("{}", UINT64_MAX, "")), HasSubstr("header length 184467"));
  EXPECT_THAT(refusal(with_length("{}", UINT64_MAX - 7, "")), HasSubstr("header length"));
  EXPECT_THAT(refusal(with_length("", 0, "{}")), HasSubstr("a header without {"));
  put(path(), with_length("{", 100'000'001, ""));
  std::filesystem::resize_file(path(), 100'000'100);  // sparse
  EXPECT_THAT(error_of([&] { SafetensorsFile file(path()); }), HasSubstr("100000000"));
}

TEST_F(Safetensors, EveryTruncationIsAnError) {
  const std::string whole =
      file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", "abcd");
  put(path(), whole);
  EXPECT_NO_THROW(SafetensorsFile file(path()));
  for (size_t size = 0; size < whole.size(); ++size) refusal(whole.substr(0, size));
}

TEST_F(Safetensors, RefusesBrokenJson) {
  EXPECT_THAT(header_refusal("[]"), HasSubstr("a header without {"));
  EXPECT_THAT(header_refusal(" {}"), HasSubstr("a header without {"));
  EXPECT_THAT(header_refusal("{"), HasSubstr("invalid JSON"));
  EXPECT_THAT(header_refusal("{} x"), HasSubstr("invalid JSON"));
  EXPECT_THAT(header_refusal(std::string("{}\0{}", 5)), HasSubstr("JSON"));
  EXPECT_THAT(header_refusal("{\"a\xff\":{}}"), HasSubstr("invalid JSON"));
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += '[';
  EXPECT_THAT(header_refusal(deep), HasSubstr("nested deeper"));
}

TEST_F(Safetensors, RefusesDuplicateKeys) {
  const std::string entry = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(header_refusal(fmt::format(R"({{"a":{0},"a":{0}}})", entry), "x"),
              HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(header_refusal(fmt::format(R"({{"a":{0},"\u0061":{0}}})", entry), "x"),
              HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(
      header_refusal(R"({"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}})", "x"),
      HasSubstr("duplicate key \"dtype\""));
}

TEST_F(Safetensors, RefusesBrokenMetadata) {
  EXPECT_THAT(header_refusal(R"({"__metadata__":{"a":1}})"), HasSubstr("\"a\" of type number"));
  EXPECT_THAT(header_refusal(R"({"__metadata__":{"a":{}}})"), HasSubstr("a string"));
  EXPECT_THAT(header_refusal(R"({"__metadata__":null})"), HasSubstr("not an object"));
}

TEST_F(Safetensors, RefusesBrokenEntries) {
  const auto entry = [this](const std::string& dtype, const std::string& shape,
                            const std::string& offsets) {
    return header_refusal(fmt::format(R"({{"t.w":{{"dtype":{},"shape":{},"data_offsets":{}}}}})",
                                      dtype, shape, offsets),
                          "abcd");
  };
  EXPECT_THAT(entry("\"F33\"", "[1]", "[0,4]"), HasSubstr("dtype \"F33\" of tensor t.w"));
  EXPECT_THAT(entry("7", "[1]", "[0,4]"), HasSubstr("dtype 7 of tensor t.w"));
  EXPECT_THAT(entry("\"U8\"", "4", "[0,4]"), HasSubstr("the shape of tensor t.w"));
  EXPECT_THAT(entry("\"U8\"", "[4.0]", "[0,4]"), HasSubstr("a dimension of tensor t.w = 4.0"));
  EXPECT_THAT(entry("\"U8\"", "[-4,-1]", "[0,4]"), HasSubstr("a dimension of tensor t.w = -4"));
  EXPECT_THAT(entry("\"U8\"", "[9223372036854775808]", "[0,4]"),
              HasSubstr("dimension 9223372036854775808"));
  EXPECT_THAT(entry("\"U8\"", "[18446744073709551616]", "[0,4]"), HasSubstr("a dimension"));
  EXPECT_THAT(entry("\"U8\"", "[4294967296,4294967297]", "[0,4]"), HasSubstr("fits 63 bits"));
  EXPECT_THAT(entry("\"F64\"", "[2305843009213693952]", "[0,4]"), HasSubstr("fits 64 bits"));
  EXPECT_THAT(entry("\"F4\"", "[7]", "[0,4]"), HasSubstr("whole bytes"));
  EXPECT_THAT(entry("\"U8\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4]", "[0,4]"),
              HasSubstr("at most 16"));
  EXPECT_THAT(entry("\"U8\"", "[3]", "[0,4]"), HasSubstr("4 bytes for tensor t.w"));
  EXPECT_THAT(entry("\"U8\"", "[5]", "[0,5]"), HasSubstr("within 4 bytes"));
  EXPECT_THAT(entry("\"U8\"", "[4]", "[4,0]"), HasSubstr("an ascending pair"));
  EXPECT_THAT(entry("\"U8\"", "[4]", "[0,18446744073709551615]"), HasSubstr("within 4 bytes"));
  EXPECT_THAT(entry("\"U8\"", "[4]", "[0,4,8]"), HasSubstr("two integers"));
  EXPECT_THAT(entry("\"U8\"", "[4]", "[-1,3]"), HasSubstr("a non-negative integer"));
  EXPECT_THAT(entry("\"U8\"", "[4]", "[\"0\",4]"), HasSubstr("a non-negative integer"));
  EXPECT_THAT(header_refusal(R"({"t":[]})"), HasSubstr("exactly dtype, shape and data_offsets"));
  EXPECT_THAT(header_refusal(R"({"t":{"dtype":"U8","shape":[0]}})"), HasSubstr("exactly"));
}

TEST_F(Safetensors, RefusesHolesOverlapsAndTrailingData) {
  const auto two = [this](int a0, int a1, int b0, int b1, const std::string& data) {
    return header_refusal(
        fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}},)"
                    R"("b":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                    a1 - a0, a0, a1, b1 - b0, b0, b1),
        data);
  };
  EXPECT_THAT(two(0, 2, 3, 4, "abcd"), HasSubstr("tensor b at data byte 3"));
  EXPECT_THAT(two(0, 3, 2, 4, "abcd"), HasSubstr("tensor b at data byte 2"));
  EXPECT_THAT(two(0, 4, 0, 4, "abcd"), HasSubstr("without holes or overlaps"));
  EXPECT_THAT(two(1, 2, 2, 4, "abcd"), HasSubstr("tensor a at data byte 1"));
  EXPECT_THAT(two(0, 2, 2, 3, "abcd"), HasSubstr("1 bytes after the last tensor"));
  EXPECT_THAT(two(0, 4, 2, 2, "abcd"), HasSubstr("tensor b at data byte 2"));
  EXPECT_THAT(header_refusal("{}", "x"), HasSubstr("1 bytes after the last tensor"));
}

TEST_F(Safetensors, WriterRoundTrip) {
  {
    SafetensorsWriter out(
        path(), {{"b", Dtype::kF16, {2}}, {"a", Dtype::kU8, {3}}, {"c", Dtype::kF32, {1}}});
    out.write("a", as_bytes("xyz"));
    out.write("c", as_bytes("1234"));
    out.write("b", as_bytes("ab"), 0);
    EXPECT_THAT(error_of([&] { out.commit(); }), HasSubstr("2 bytes of tensor b"));
    EXPECT_FALSE(std::filesystem::exists(path()));
    out.write("b", as_bytes("cd"), 2);
    out.commit();
  }
  const SafetensorsFile file(path());
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(read(file, "a"), "xyz");
  EXPECT_EQ(read(file, "b"), "abcd");
  EXPECT_EQ(read(file, "c"), "1234");
  const auto data = file.entries().at("c").begin;
  EXPECT_EQ(data % 8, 0U);
  EXPECT_EQ(file.entries().at("b").begin, data + 4);
  EXPECT_EQ(file.entries().at("a").begin, data + 8);
  EXPECT_EQ(get(path()).size(), data + 11);
}

TEST_F(Safetensors, WriterRefusesWrongUse) {
  EXPECT_THAT(error_of([&] {
                SafetensorsWriter(path(), {{"a", Dtype::kU8, {1}}, {"a", Dtype::kI8, {1}}});
              }),
              HasSubstr("tensor a twice"));
  EXPECT_THAT(error_of([&] {
                SafetensorsWriter(path(), {{"__metadata__", Dtype::kU8, {1}}});
              }),
              HasSubstr("reserved"));
  std::vector<TensorInfo> huge;
  for (int i = 0; i < 5; ++i) huge.push_back({std::to_string(i), Dtype::kU8, {int64_t{1} << 60}});
  EXPECT_THAT(error_of([&] { SafetensorsWriter(path(), huge); }),
              HasSubstr("more than 2^62 bytes"));
  EXPECT_TRUE(dir_.empty());
  SafetensorsWriter out(path(), {{"a", Dtype::kU8, {3}}});
  EXPECT_THAT(error_of([&] { out.write("b", as_bytes("x")); }), HasSubstr("declared"));
  EXPECT_THAT(error_of([&] { out.write("a", as_bytes("wxyz")); }), HasSubstr("4 bytes at 0"));
  EXPECT_THAT(error_of([&] { out.write("a", as_bytes("x"), 2); }), HasSubstr("in order"));
  out.write("a", as_bytes("xyz"));
  EXPECT_THAT(error_of([&] { out.write("a", as_bytes("xyz")); }), HasSubstr("once"));
}

TEST(SafetensorsOracle, PythonReadsOursAndWeReadPythons) {
  const TempDir dir;
  {
    SafetensorsWriter out(dir / "ours.safetensors", {{"h", Dtype::kF16, {2, 2}},
                                                     {"ü", Dtype::kI8, {3}},
                                                     {"e", Dtype::kF32, {0, 5}},
                                                     {"s", Dtype::kI64, {}},
                                                     {"g", Dtype::kBF16, {1}},
                                                     {"f", Dtype::kF32, {1}}});
    const std::vector<uint16_t> half{0x3c00, 0xc000, 0x7bff, 0x0001};
    const int64_t scalar = -5;
    const uint16_t bfloat = 0x3fc0;
    const float value = 0.1F;
    out.write("h", std::as_bytes(std::span(half)));
    out.write("ü", as_bytes("\x01\x80\x7f"));
    out.write("s", std::as_bytes(std::span(&scalar, 1)));
    out.write("g", std::as_bytes(std::span(&bfloat, 1)));
    out.write("f", std::as_bytes(std::span(&value, 1)));
    out.commit();
  }
  testing::run_python("safetensors_oracle.py", dir.path().string());
  // The script saved the same tensors again: the reference writer's file is ours, byte for byte.
  EXPECT_EQ(get(dir / "theirs.safetensors"), get(dir / "ours.safetensors"));
  const SafetensorsFile theirs(dir / "theirs.safetensors");
  EXPECT_EQ(read(theirs, "ü"), "\x01\x80\x7f");
}

}  // namespace
}  // namespace octet
