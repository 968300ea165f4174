#include "datasets/gettext/mo_file.h"

#include "tests/core/support.h"
#include "tests/datasets/mo_builder.h"
#include "tests/environment.h"

namespace octet {

static bool operator==(const Message& a, const Message& b) {
  return a.source == b.source && a.target == b.target;
}
static void PrintTo(const Message& message, std::ostream* out) {
  *out << message.source << " | " << message.target;
}

namespace {

using testing::build_mo;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MoMessages;
using testing::put;
using testing::TempDir;

class MoFile : public ::testing::Test {
 protected:
  static Catalogue read(const std::string& bytes) { return parse_mo(bytes, "a.mo"); }
  static std::string refusal(const std::string& bytes) {
    std::string message = error_of([&] { read(bytes); });
    EXPECT_THAT(message, HasSubstr("a.mo; expected a GNU message catalogue (.mo)"));
    return message;
  }
  // `bytes` with another 32-bit number at `at`.
  static std::string patched(std::string bytes, size_t at, uint32_t value) {
    std::string number;
    testing::put_number(number, value, false);
    return bytes.replace(at, 4, number);
  }
};

const MoMessages kTwo = {{"Open file", "Datei \u00f6ffnen"}, {"Close", "Schlie\u00dfen"}};

TEST_F(MoFile, BothByteOrdersAreRead) {
  for (const bool big_endian : {false, true}) {
    const Catalogue got = read(build_mo(kTwo, "UTF-8", big_endian));
    EXPECT_THAT(got.messages, ElementsAre(Message{"Close", "Schlie\u00dfen"},
                                          Message{"Open file", "Datei \u00f6ffnen"}));
    EXPECT_EQ(got.invalid, 0);
    EXPECT_EQ(got.unknown_charset, "");
  }
  EXPECT_EQ(read(build_mo(kTwo, "UTF-8", false, 0x00010001)).messages.size(), 2U);
}

TEST_F(MoFile, ContextsAndPluralsAreTakenOff) {
  const Catalogue got = read(build_mo(
      {{std::string("menu\x04Open"), "\u00d6ffnen"},
       {std::string("one file\0%d files", 17), std::string("eine Datei\0%d Dateien", 21)}}));
  EXPECT_THAT(got.messages,
              ElementsAre(Message{"Open", "\u00d6ffnen"}, Message{"one file", "eine Datei"}));
}

TEST_F(MoFile, OtherCharsetsAreConverted) {
  EXPECT_THAT(read(build_mo({{"a", "\xE4\xA4"}}, "ISO-8859-15")).messages,
              ElementsAre(Message{"a", "\u00e4\u20ac"}));
  EXPECT_THAT(read(build_mo({{"a", "\xC1"}}, "koi8-r")).messages,
              ElementsAre(Message{"a", "\u0430"}));
  EXPECT_THAT(read(build_mo({{"a", "\u00e4"}}, "")).messages, ElementsAre(Message{"a", "\u00e4"}));
  EXPECT_THAT(read(build_mo({{"a", "\u00e4"}}, "CHARSET")).messages,
              ElementsAre(Message{"a", "\u00e4"}));
}

TEST_F(MoFile, TextOutsideItsCharsetIsLeftOut) {
  const Catalogue utf8 = read(build_mo({{"a", "\xE4"}, {"b", "c"}}));
  EXPECT_THAT(utf8.messages, ElementsAre(Message{"b", "c"}));
  EXPECT_EQ(utf8.invalid, 1);
  EXPECT_EQ(read(build_mo({{"a", "\xE4"}}, "ASCII")).invalid, 1);
  for (const char* charset : {"ISO-2022-CN-EXT", "UTF-7", "nonsense", "GBK//../../lib"}) {
    const Catalogue unknown = read(build_mo(kTwo, charset));
    EXPECT_THAT(unknown.messages, IsEmpty()) << charset;
    EXPECT_NE(unknown.unknown_charset, "") << charset;
  }
}

TEST_F(MoFile, WhatPointsOutsideIsRefused) {
  const std::string good = build_mo(kTwo);
  EXPECT_THAT(refusal(""), HasSubstr("0 bytes"));
  EXPECT_THAT(refusal(std::string(100, 'x')), HasSubstr("another beginning"));
  EXPECT_THAT(refusal(patched(good, 4, 0x00020000)), HasSubstr("revision 2"));
  EXPECT_THAT(refusal(patched(good, 8, 0xFFFFFFFF)), HasSubstr("a table of 4294967295 messages"));
  EXPECT_THAT(refusal(patched(good, 12, 0xFFFFFFF8)), HasSubstr("a table of 3 messages"));
  EXPECT_THAT(refusal(patched(good, 16, 4)), HasSubstr("a table of 3 messages at byte 4"));
  EXPECT_THAT(refusal(patched(good, 28, 0xFFFFFFFF)), HasSubstr("a message of 4294967295 bytes"));
  EXPECT_THAT(refusal(patched(good, 32, 0xFFFFFFFF)), HasSubstr("at byte 4294967295"));
  EXPECT_THAT(refusal(patched(good, 36, 4)),
              HasSubstr("a message of 4 bytes"));  // no NUL behind it
}

TEST_F(MoFile, OverlappingMessagesAreRefused) {
  const std::string text(1000, 'a');
  std::string bytes = build_mo({{text, "x"}, {"b", "y"}, {"c", "z"}}, "");
  const std::string entry = bytes.substr(28, 8);
  bytes.replace(36, 8, entry).replace(44, 8, entry);
  EXPECT_THAT(refusal(bytes), HasSubstr("messages that overlap"));
}

TEST_F(MoFile, EveryTruncationIsRefused) {
  const std::string good = build_mo(kTwo);
  for (size_t size = 0; size < good.size(); ++size) refusal(good.substr(0, size));
}

TEST_F(MoFile, EveryByteMayBeWrong) {
  const std::string good = build_mo(kTwo);
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '\x01', '\x7F', '\xFF'}) {
      std::string bytes = good;
      bytes[at] = value;
      try {
        EXPECT_LE(read(bytes).messages.size(), 3U);
      } catch (const Error&) {  // the wanted answer
      }
    }
  }
}

// Python's gettext reads the same texts out of the same file.
using MoFileOracle = MoFile;

TEST_F(MoFileOracle, PythonReadsTheSame) {
  const TempDir dir;
  MoMessages messages = kTwo;
  messages.emplace_back("A longer line\nwith another", "Eine l\u00e4ngere Zeile\nmit noch einer");
  for (const bool big_endian : {false, true}) {
    put(dir / "a.mo", build_mo(messages, "UTF-8", big_endian));
    std::string expected;
    for (const Message& m : read_mo(dir / "a.mo").messages)
      expected += m.source + "\t" + m.target + "\n";
    const std::string script =
        "import gettext,sys;c=gettext.GNUTranslations(open(sys.argv[1],'rb'))._catalog;"
        "sys.stdout.reconfigure(encoding='utf-8');"
        "print(''.join(f'{k}\\t{v}\\n' for k,v in sorted(c.items()) if k),end='')";
    FILE* pipe = ::popen(
        (test::python_binary() + " -c \"" + script + "\" " + (dir / "a.mo").string()).c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string got;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) got += static_cast<char>(c);
    EXPECT_EQ(::pclose(pipe), 0);
    EXPECT_EQ(got, expected);
  }
}

}  // namespace
}  // namespace octet
