#include "datasets/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "core/error.h"
#include "datasets/data_spec.h"

namespace octet {
namespace {
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// One id a byte; NUL becomes 256.
std::vector<int32_t> bytes(std::string_view text) {
  std::vector<int32_t> out;
  for (unsigned char c : text) out.push_back(c == 0 ? 256 : c);
  return out;
}

class TextFile : public testing::Test {
 protected:
  TextFile() {
    folder_ = fs::temp_directory_path() / ("octet_text_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  ~TextFile() override { fs::remove_all(folder_); }

  std::string plain(const std::string& name, const std::string& text) const {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string gzip(const std::string& name, const std::string& text,
                   const char* mode = "wb") const {
    const std::string path = folder_ / name;
    gzFile file = ::gzopen(path.c_str(), mode);
    ::gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    ::gzclose(file);
    return path;
  }
  static std::string read(const std::string& path, uint64_t limit = 1 << 20) {
    return read_bytes(parse_data_spec(path), limit);
  }
  fs::path folder_;
};

TEST(DataSpec, ReadsKindAndSuffix) {
  EXPECT_EQ(parse_data_spec("a/b.txt").path, "a/b.txt");
  EXPECT_FALSE(parse_data_spec("a/b.txt").gzip);
  EXPECT_EQ(parse_data_spec("text:b.txt.gz").path, "b.txt.gz");
  EXPECT_TRUE(parse_data_spec("text:b.txt.gz").gzip);
  EXPECT_EQ(parse_data_spec("text:pairs:x").path, "pairs:x");
  EXPECT_EQ(parse_data_spec("./pairs:x").path, "./pairs:x");
  EXPECT_EQ(parse_data_spec("a/b.jsonl").kind, DataKind::kText);
  EXPECT_EQ(parse_data_spec("text:b").kind, DataKind::kText);
  EXPECT_EQ(parse_data_spec("jsonl:b.gz").kind, DataKind::kJsonl);
  EXPECT_EQ(parse_data_spec("choice:b.jsonl").kind, DataKind::kChoice);
  EXPECT_EQ(parse_data_spec("choice:b.jsonl").path, "b.jsonl");
}

TEST(DataSpec, UnknownKindNamesTheKnown) {
  EXPECT_THROW(parse_data_spec("pairs:x.tsv"), UsageError);
  EXPECT_THAT(message_of([] { parse_data_spec("pairs:x.tsv"); }),
              HasSubstr("text:FILE, jsonl:FILE, choice:FILE"));
  EXPECT_THROW(parse_data_spec("text:"), UsageError);
  EXPECT_THROW(parse_data_spec(""), UsageError);
}

TEST_F(TextFile, PassesBytesOn) {
  const std::string odd = std::string("\xEF\xBB\xBFh\xC3\xA9 \xFF\xFE\r\n") + '\0' + "end";
  EXPECT_EQ(read(plain("a.txt", odd)), odd);
  EXPECT_EQ(read(gzip("a.txt.gz", odd)), odd);
}

TEST_F(TextFile, EmptyOrNulIsAnError) {
  EXPECT_THAT(message_of([&] { read(plain("e.txt", "")); }), HasSubstr("empty data"));
  EXPECT_THAT(message_of([&] { read(plain("n.txt", std::string(9, '\0'))); }),
              HasSubstr("empty data"));
  EXPECT_THAT(message_of([&] { read(gzip("e.gz", "")); }), HasSubstr("empty data"));
  EXPECT_THAT(message_of([&] { read(plain("z.gz", "")); }), HasSubstr("empty data"));
  EXPECT_THAT(message_of([&] { read((folder_ / "absent.gz").string()); }), HasSubstr("absent.gz"));
}

TEST_F(TextFile, GzipMembersAreJoinedAndBoundedAndWhole) {
  const std::string path = gzip("m.gz", "first ");
  gzip("m.gz", "second", "ab");
  EXPECT_EQ(read(path), "first second");
  EXPECT_EQ(read(path, 12), "first second");
  EXPECT_THAT(message_of([&] { read(path, 11); }), HasSubstr("more than 11 bytes"));
  EXPECT_THAT(message_of([&] { read(plain("p.gz", "plain text")); }), HasSubstr("no gzip header"));
  fs::resize_file(path, fs::file_size(path) - 3);
  EXPECT_THAT(message_of([&] { read(path); }), HasSubstr("not whole gzip data"));
}

TEST(TokenWindows, CutsWithoutOverlapAndCountsTheTail) {
  const TokenWindows windows("abcdefghijk", bytes, 4);
  EXPECT_EQ(windows.size(), 2);
  EXPECT_EQ(windows.tokens(), 11);
  EXPECT_EQ(windows.tail(), 3);
  EXPECT_THAT(windows.window(0), ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_THAT(windows.window(1), ElementsAre('e', 'f', 'g', 'h'));
  EXPECT_THROW(windows.window(2), Error);
  EXPECT_THROW(windows.window(-1), Error);
  EXPECT_EQ(TokenWindows("abcd", bytes, 4).tail(), 0);
}

TEST(TokenWindows, BosTakesOnePlaceOfEachWindow) {
  const TokenWindows windows("abcdefgh", bytes, 4, 1);
  EXPECT_EQ(windows.size(), 2);
  EXPECT_EQ(windows.tail(), 2);
  EXPECT_THAT(windows.window(0), ElementsAre(1, 'a', 'b', 'c'));
  EXPECT_THAT(windows.window(1), ElementsAre(1, 'd', 'e', 'f'));
  EXPECT_THAT(TokenWindows("abcdefgh", bytes, 4, 'a').window(0), ElementsAre('a', 'b', 'c', 'd'));
}

TEST(TokenWindows, TokenizesOnceAsOneString) {
  int calls = 0;
  const TokenWindows windows(
      "a\n\nb\nc",
      [&](std::string_view text) {
        ++calls;
        EXPECT_EQ(text, "a\n\nb\nc");
        return bytes(text);
      },
      2);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(windows.size(), 3);
}

TEST(TokenWindows, RefusesWhatFillsNoWindow) {
  EXPECT_THAT(message_of([] { TokenWindows("abc", bytes, 4); }), HasSubstr("3 tokens"));
  EXPECT_NO_THROW(TokenWindows("abc", bytes, 4, 1));
  EXPECT_THROW(TokenWindows("abc", bytes, 1), UsageError);
  EXPECT_THROW(TokenWindows(
                   "abc",
                   [](std::string_view) {
                     return std::vector<int32_t>{1, -1};
                   },
                   2),
               Error);
}

TEST(SampleOrder, SeedZeroIsTheFirstInOrder) {
  EXPECT_THAT(sample_order(9, 4, 0), ElementsAre(0, 1, 2, 3));
  EXPECT_THROW(sample_order(3, 4, 0), Error);
  EXPECT_THROW(sample_order(3, 0, 0), Error);
}

TEST(SampleOrder, SeedsChooseDistinctSamplesRepeatably) {
  const auto order = sample_order(1000, 100, 7);
  EXPECT_EQ(order, sample_order(1000, 100, 7));
  EXPECT_NE(order, sample_order(1000, 100, 8));
  EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 100U);
  for (int64_t i : order) EXPECT_TRUE(i >= 0 && i < 1000) << i;
  // 100 of 1000 at random have mean 499.5 +- 28; the first 100 have 49.5.
  EXPECT_NEAR(std::accumulate(order.begin(), order.end(), 0.0) / 100, 499.5, 120);
  const auto longer = sample_order(1000, 200, 7);
  EXPECT_TRUE(std::equal(order.begin(), order.end(), longer.begin()));
}

TEST(Units, CoverEverySampleOnce) {
  EXPECT_THAT(units(7, 3), ElementsAre(Unit{0, 3}, Unit{3, 6}, Unit{6, 7}));
  EXPECT_TRUE(units(0, 3).empty());
  EXPECT_THROW(units(7, 0), UsageError);
}

TEST(Units, ShardsPartitionTheUnits) {
  EXPECT_THAT(shard_units(7, 1, 3), ElementsAre(1, 4));
  EXPECT_TRUE(shard_units(2, 2, 3).empty());
  std::multiset<int64_t> seen;
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t unit : shard_units(7, i, 3)) seen.insert(unit);
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  EXPECT_THROW(shard_units(7, 3, 3), UsageError);
  EXPECT_THROW(shard_units(7, -1, 3), UsageError);
}

}  // namespace
}  // namespace octet
