#include "datasets/pairs.h"

#include <zlib.h>

#include "tests/core/support.h"

namespace octet {

static bool operator==(const SentencePair& a, const SentencePair& b) {
  return a.source == b.source && a.target == b.target;
}
static void PrintTo(const SentencePair& pair, std::ostream* out) {
  *out << pair.source << " | " << pair.target;
}

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::put;
using testing::TempDir;

class Parallel : public ::testing::Test {
 protected:
  std::string data(const std::string& source, const std::string& target) const {
    put(dir_ / "s.en", source);
    put(dir_ / "t.de", target);
    return "parallel:" + (dir_ / "s.en").string() + "," + (dir_ / "t.de").string();
  }
  std::vector<SentencePair> pairs(const std::string& source, const std::string& target) const {
    return read_pairs(data(source, target), Split::kTrain);
  }
  std::string refusal(const std::string& source, const std::string& target) const {
    std::string message = error_of([&] { pairs(source, target); });
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    return message;
  }
  TempDir dir_;
};

TEST_F(Parallel, LinesAreJoinedInOrder) {
  EXPECT_THAT(pairs("a\nb c\n", "\u00e4\nd"),
              ElementsAre(SentencePair{"a", "\u00e4"}, SentencePair{"b c", "d"}));
}

TEST_F(Parallel, CarriageReturnsAndAByteOrderMarkAreNotText) {
  EXPECT_THAT(pairs("\xEF\xBB\xBF"
                    "a\r\nb\r\r\n",
                    "x\ny\r\n"),
              ElementsAre(SentencePair{"a", "x"}, SentencePair{"b\r", "y"}));
}

TEST_F(Parallel, PairsWithAnEmptySideAreLeftOut) {
  EXPECT_THAT(pairs("a\n\nc\n \t\ne", "1\n2\n\r\n4\n5"),
              ElementsAre(SentencePair{"a", "1"}, SentencePair{"e", "5"}));
}

TEST_F(Parallel, GzipIsUnpackedAndPartsFollowEachOther) {
  const std::string packed = dir_ / "s.en.gz";
  gzFile file = ::gzopen(packed.c_str(), "wb");
  ::gzputs(file, "p\nq\n");
  ::gzclose(file);
  const std::string plain = data("a", "b");
  put(dir_ / "u.de", "1\n2\n");
  EXPECT_THAT(
      read_pairs("parallel:" + packed + "," + (dir_ / "u.de").string() + ";" + plain, Split::kTest),
      ElementsAre(SentencePair{"p", "1"}, SentencePair{"q", "2"}, SentencePair{"a", "b"}));
}

TEST_F(Parallel, BothCountsAreNamedWhenTheyDiffer) {
  EXPECT_THAT(refusal("a\nb\nc\n", "a\nb\n"),
              AllOf(HasSubstr("3 lines in "), HasSubstr("s.en and 2 in "), HasSubstr("t.de")));
}

TEST_F(Parallel, EmptyAndDamagedFilesAreNamed) {
  EXPECT_THAT(refusal("", "a\n"), AllOf(HasSubstr("no sentence in "), HasSubstr("s.en")));
  EXPECT_THAT(refusal("a\n", "\n \n"), AllOf(HasSubstr("no sentence in "), HasSubstr("t.de")));
  EXPECT_THAT(refusal("a\n\n", "\nb\n"), HasSubstr("no sentence pair"));
  EXPECT_THAT(refusal("a\nb\xE9\n", "a\nb\n"),
              HasSubstr("invalid UTF-8 in " + (dir_ / "s.en").string() + " line 2"));
  EXPECT_THAT(
      error_of([&] { read_pairs("parallel:" + (dir_ / "no").string() + ",b", Split::kAll); }),
      HasSubstr("no"));
}

TEST_F(Parallel, OtherKindsAreUsageErrors) {
  for (const char* data : {"a.txt", "jsonl:a", "images:a", "idx:a,b"})
    EXPECT_THROW(read_pairs(data, Split::kTrain), UsageError) << data;
}

}  // namespace
}  // namespace octet
