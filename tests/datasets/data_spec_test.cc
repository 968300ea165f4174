#include "datasets/data_spec.h"

#include <map>

#include "datasets/records.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(DataKinds, PairsAndImagesAreRead) {
  const DataSpec parallel = parse_data_spec("parallel:a/train.en,b/train.de.gz");
  EXPECT_EQ(parallel.kind, DataKind::kParallel);
  EXPECT_EQ(parallel.path, "a/train.en");
  EXPECT_EQ(parallel.second, "b/train.de.gz");
  EXPECT_FALSE(parallel.split);
  const DataSpec files = parse_data_spec("idx:i.gz,l.gz@test");
  EXPECT_EQ(files.kind, DataKind::kIdx);
  EXPECT_EQ(files.path, "i.gz");
  EXPECT_EQ(files.second, "l.gz");
  EXPECT_EQ(files.split, Split::kTest);
  EXPECT_EQ(parse_data_spec("idx:dir").path, "dir");
  EXPECT_EQ(parse_data_spec("idx:dir").second, "");
  EXPECT_EQ(parse_data_spec("images:a@b/dir").path, "a@b/dir");
  EXPECT_EQ(parse_data_spec("images:dir@valid").split, Split::kValid);
  EXPECT_EQ(parse_data_spec("images:dir@valid").path, "dir");
}

TEST(DataKinds, CataloguesHaveALanguageAndAFolder) {
  const DataSpec plain = parse_data_spec("gettext:de");
  EXPECT_EQ(plain.kind, DataKind::kGettext);
  EXPECT_EQ(plain.language, "de");
  EXPECT_EQ(plain.path, "/usr/share/locale");
  EXPECT_FALSE(plain.split);
  const DataSpec folder = parse_data_spec("gettext:pt_BR:demo/locale@all");
  EXPECT_EQ(folder.language, "pt_BR");
  EXPECT_EQ(folder.path, "demo/locale");
  EXPECT_EQ(folder.split, Split::kAll);
  EXPECT_EQ(parse_data_spec("gettext:sr@latin").language, "sr@latin");
  EXPECT_EQ(parse_data_spec("gettext:sr@latin@test").language, "sr@latin");
  EXPECT_EQ(parse_data_spec("gettext:sr@latin@test").split, Split::kTest);
  for (const char* bad :
       {"gettext:", "gettext::dir", "gettext:../de", "gettext:de:", "gettext:@all"})
    EXPECT_THROW(parse_data_spec(bad), UsageError) << bad;
}

TEST(DataKinds, WrongFormsAreUsageErrors) {
  const std::map<std::string, std::string> wrong = {
      {"pairs:x.tsv", "parallel:SRC,TGT, gettext:LANG[:DIR], idx:IMAGES,LABELS"},
      {"parallel:a.en", "parallel:SRC,TGT, two files"},
      {"parallel:a.en,", "parallel:SRC,TGT, two files"},
      {"parallel:a,b,c", "parallel:SRC,TGT, two files"},
      {"parallel:a,b@train", "without splits"},
      {"idx:a,", "idx:IMAGES,LABELS or idx:DIR"},
      {"images:dir@validation", "unknown split \"@validation\""},
      {"images:@train", "no file name"},
      {"a;b", "several parts"}};
  for (const auto& item : wrong) {
    const std::string& argument = item.first;
    EXPECT_THROW(parse_data_spec(argument), UsageError) << argument;
    EXPECT_THAT(error_of([&] { parse_data_spec(argument); }), HasSubstr(item.second));
  }
}

TEST(DataKinds, PartsAreJoinedBySemicolons) {
  const auto parts = parse_data_parts("parallel:a,b;gettext:de@train;c.txt");
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].second, "b");
  EXPECT_EQ(parts[1].split, Split::kTrain);
  EXPECT_EQ(parts[2].path, "c.txt");
  EXPECT_EQ(parse_data_parts("a").size(), 1U);
  for (const char* bad : {"", ";", "a;", ";a", "a;;b"})
    EXPECT_THROW(parse_data_parts(bad), UsageError) << bad;
}

TEST(DataKinds, TextIsNotReadOfPairsAndImages) {
  for (const char* data : {"parallel:a,b", "gettext:de", "idx:a,b", "images:a"}) {
    EXPECT_THAT(error_of([&] { read_text(parse_data_spec(data), {}); }),
                HasSubstr("text:FILE, jsonl:FILE"))
        << data;
  }
}

TEST(Splits, AHashDividesAsAsked) {
  std::map<Split, int> counts;
  for (int i = 0; i < 40000; ++i) {
    const std::string key = "key " + std::to_string(i);
    const Split split = split_by_hash(key, 40);
    EXPECT_EQ(split, split_by_hash(key, 40));
    ++counts[split];
  }
  // 1000 expected of either, with deviation 31.
  EXPECT_NEAR(counts[Split::kValid], 1000, 160);
  EXPECT_NEAR(counts[Split::kTest], 1000, 160);
  EXPECT_EQ(counts[Split::kAll], 0);
  EXPECT_EQ(split_by_hash("", 2), split_by_hash("", 2));
}

}  // namespace
}  // namespace octet
