#include "datasets/gettext/gettext.h"

#include <set>

#include "datasets/gettext/clean_message.h"
#include "tests/core/support.h"
#include "tests/datasets/mo_builder.h"

namespace octet {
namespace {

using testing::build_mo;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::MoMessages;
using testing::put;
using testing::TempDir;

class Gettext : public ::testing::Test {
 protected:
  void install(const std::string& language, const std::string& program,
               const std::string& bytes) const {
    const auto folder = dir_ / language / "LC_MESSAGES";
    std::filesystem::create_directories(folder);
    put(folder / (program + ".mo"), bytes);
  }
  std::string data(const std::string& language, const std::string& split = "@all") const {
    return "gettext:" + language + ":" + dir_.path().string() + split;
  }
  std::vector<std::string> pairs(const std::string& language) const {
    std::vector<std::string> out;
    for (const SentencePair& pair : read_pairs(data(language), Split::kTrain))
      out.push_back(pair.source + "|" + pair.target);
    return out;
  }
  TempDir dir_;
};

// 1,200 messages in two catalogues, each sentence also in upper case with a full stop.
MoMessages many_messages(int from) {
  static const char* kNumbers[] = {"one", "two",   "three", "four", "five",
                                   "six", "seven", "eight", "nine", "ten"};
  MoMessages messages;
  for (int i = from; i < from + 600; ++i) {
    const std::string name = std::string(kNumbers[i / 1000 % 10]) + " " + kNumbers[i / 100 % 10] +
                             " " + kNumbers[i / 10 % 10] + " " + kNumbers[i % 10];
    messages.emplace_back("take " + name, "nimm " + name);
    messages.emplace_back("Take " + name + ".", "Nimm " + name + ".");
  }
  return messages;
}

TEST_F(Gettext, CataloguesAreReadInOrderOfTheirNames) {
  install("de", "zip", build_mo({{"Open it", "\u00d6ffne es"}, {"Close it", "Mach zu"}}));
  install("de", "arc", build_mo({{"Close it", "Schlie\u00dfe es"}}));
  install("de", "iso_639", build_mo({{"Old German", "Althochdeutsch"}}));
  install("fr", "zip", build_mo({{"Open it", "Ouvre"}}));
  EXPECT_THAT(pairs("de"), ElementsAre("Close it|Schlie\u00dfe es", "Open it|\u00d6ffne es"));
}

TEST_F(Gettext, RelativesOfALanguageFillIn) {
  install("de", "zip", build_mo({{"Open it", "\u00d6ffne es"}}));
  install("de_DE", "zip", build_mo({{"Open it", "Aufmachen"}}));
  install("de_DE", "arc", build_mo({{"Close it", "Schlie\u00dfe es"}}));
  install("de_AT", "arc", build_mo({{"Close it", "Mach zu"}}));
  EXPECT_THAT(pairs("de"), ElementsAre("Close it|Schlie\u00dfe es", "Open it|\u00d6ffne es"));
  EXPECT_THAT(pairs("de_AT"), ElementsAre("Close it|Mach zu", "Open it|\u00d6ffne es"));
}

TEST_F(Gettext, SplitsShareNoSentence) {
  install("de", "a", build_mo(many_messages(0)));
  install("de", "b", build_mo(many_messages(300)));
  std::set<std::string> all;
  std::map<std::string, Split> side;
  std::map<Split, size_t> counts;
  for (const Split split : {Split::kTrain, Split::kValid, Split::kTest}) {
    for (const SentencePair& pair : read_pairs(data("de", ""), split)) {
      EXPECT_TRUE(all.insert(pair.source).second) << pair.source;
      EXPECT_EQ(side.try_emplace(letters_of(pair.source), split).first->second, split);
      ++counts[split];
    }
  }
  EXPECT_EQ(all.size(), 1800U);
  EXPECT_EQ(read_pairs(data("de"), Split::kTrain).size(), 1800U);
  EXPECT_EQ(read_pairs(data("de", "@test"), Split::kTrain).size(), counts[Split::kTest]);
  // 900 sentences, twice each: 45 +- 9.3 expected of either.
  EXPECT_NEAR(static_cast<double>(counts[Split::kValid]), 45, 40);
  EXPECT_NEAR(static_cast<double>(counts[Split::kTest]), 45, 40);
}

TEST_F(Gettext, OneFileIsEnough) {
  put(dir_ / "x.mo", build_mo({{"Open it", "\u00d6ffne es"}}));
  EXPECT_EQ(read_pairs("gettext:de:" + (dir_ / "x.mo").string() + "@all", Split::kTrain).size(),
            1U);
}

TEST_F(Gettext, NothingToReadIsOneClearLine) {
  EXPECT_THAT(error_of([&] { pairs("de"); }), HasSubstr("no catalogue of \"de\" in "));
  install("de", "a", build_mo({}));
  EXPECT_THAT(error_of([&] { pairs("de"); }), HasSubstr("no sentence in the 1 catalogues of "));
  install("de", "a", "");
  EXPECT_THAT(error_of([&] { pairs("de"); }), HasSubstr("a.mo"));
  install("de", "a", build_mo({{"Open it", "\u00d6ffne es"}}));
  int empty = 0;
  for (const char* split : {"@train", "@valid", "@test"}) {
    try {
      EXPECT_EQ(read_pairs(data("de", split), Split::kAll).size(), 1U);
    } catch (const Error& error) {
      ++empty;
      EXPECT_THAT(error.what(), HasSubstr("no sentence pair in gettext data"));
    }
  }
  EXPECT_EQ(empty, 2);
}

TEST_F(Gettext, UnknownCharsetsArePassedOver) {
  install("de", "a", build_mo({{"Close it", "Zu"}}, "ISO-2022-KR"));
  install("de", "b", build_mo({{"Open it", "\u00d6ffne es"}}));
  ::testing::internal::CaptureStderr();
  Log log;
  std::vector<SentencePair> pairs;
  read_catalogues(parse_data_spec(data("de")), Split::kAll, pairs, &log);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(pairs.size(), 1U);
  EXPECT_THAT(said, HasSubstr("a.mo is passed over: its charset ISO-2022-KR is not known"));
  EXPECT_THAT(said, HasSubstr("1 sentence pairs (all) of 2 catalogues"));
}

}  // namespace
}  // namespace octet
