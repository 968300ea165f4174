#include "datasets/gettext/clean_message.h"

#include "datasets/gettext/placeholders.h"
#include "tests/core/support.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> cleaned(std::string_view source, std::string_view target) {
  std::vector<std::string> out;
  for (const SentencePair& pair : clean_message(source, target))
    out.push_back(pair.source + "|" + pair.target);
  return out;
}

std::vector<std::string> meanings(std::string_view text) {
  std::vector<std::string> out;
  for (const Placeholder& found : placeholders(text)) out.push_back(found.meaning);
  return out;
}

TEST(Placeholders, EveryFormIsFound) {
  EXPECT_THAT(meanings("%s %-5d %lu %2$s %.*f %'d %c"),
              ElementsAre("%s", "%d", "%lu", "%s", "%f", "%d", "%c"));
  EXPECT_THAT(meanings("%(name)s %(n)5d"), ElementsAre("%(name)s", "%(n)d"));
  EXPECT_THAT(meanings("%1 of %L2, %Y-%B"), ElementsAre("%1", "%2", "%Y", "%B"));
  EXPECT_THAT(meanings("{} {0} {name:>8} {a.b!r}"), ElementsAre("{}", "{0}", "{name}", "{a.b}"));
  EXPECT_THAT(meanings("$HOME ${path} $5"), ElementsAre("$HOME", "{path}"));
  EXPECT_THAT(meanings("<b>x</b> <a href=\"y\"> &amp; <br/>"),
              ElementsAre("<b", "</b", "<a", "&amp", "<br"));
  EXPECT_THAT(meanings("use --all or --no-color=WHEN"), ElementsAre("--all", "--no-color"));
}

TEST(Placeholders, ProseHasNone) {
  EXPECT_THAT(meanings("100% free, a < b, x > y & z, R&D -- costs $5, {two words}, a--b"),
              ElementsAre());
  EXPECT_THAT(meanings("50%% of"), ElementsAre(""));
  EXPECT_TRUE(same_placeholders("%d of %s (50%%)", "(50 %%) %2$s von %1$d"));
  EXPECT_FALSE(same_placeholders("%d", "%s"));
  EXPECT_FALSE(same_placeholders("%s %s", "%s"));
  EXPECT_EQ(without_placeholders("a%sb <i>c"), "a b  c");
}

TEST(CleanMessage, WhiteSpaceAndAcceleratorsGo) {
  EXPECT_THAT(cleaned("  Open _File...\n", "_Datei \u00f6ffnen ...\n"),
              ElementsAre("Open File...|Datei \u00f6ffnen ..."));
  EXPECT_THAT(cleaned("&Save all files", "Alle Dateien &speichern"),
              ElementsAre("Save all files|Alle Dateien speichern"));
  EXPECT_THAT(cleaned("Save &As", "Speichern &unter"), ElementsAre("Save As|Speichern unter"));
  EXPECT_THAT(cleaned("E_xit program", "Programm b_eenden"),
              ElementsAre("Exit program|Programm beenden"));
  EXPECT_THAT(cleaned("Open _Firefox", "_Firefox \u00f6ffnen"),
              ElementsAre("Open Firefox|Firefox \u00f6ffnen"));
  EXPECT_EQ(without_accelerator("\u958b\u304f(_O)", "_Open it"), "\u958b\u304f");
}

TEST(CleanMessage, NamesKeepTheirMarks) {
  EXPECT_EQ(without_accelerator("set max_size first", "zuerst max_size setzen"),
            "set max_size first");
  EXPECT_EQ(without_accelerator("R&D costs", "Kosten von R&D"), "R&D costs");
  EXPECT_EQ(without_accelerator("a_b and c_d", "x"), "a_b and c_d");
  EXPECT_EQ(without_accelerator("make && make install", "x"), "make && make install");
  EXPECT_EQ(without_accelerator("this &amp; that", "x"), "this &amp; that");
  EXPECT_EQ(without_accelerator("this & that \u00bb&\u00ab", "x"), "this & that \u00bb&\u00ab");
  EXPECT_EQ(without_accelerator("__init__ is", "x"), "__init__ is");
}

TEST(CleanMessage, ParagraphsArePairs) {
  EXPECT_THAT(
      cleaned("The first\nline.\n\nThe second  one.", "Die erste\nZeile.\n\n\nDie zweite  da."),
      ElementsAre("The first line.|Die erste Zeile."));
  EXPECT_THAT(
      cleaned("It ends.  It begins.\n \nThe second one", "Es endet. Es beginnt.\n\nDas zweite"),
      ElementsAre("It ends. It begins.|Es endet. Es beginnt.", "The second one|Das zweite"));
  EXPECT_THAT(cleaned("One here.\n\nTwo here.", "Eins hier. Zwei hier."), ElementsAre());
}

TEST(CleanMessage, TablesAreNoSentences) {
  EXPECT_THAT(cleaned("  -a, --all    show all of them", "  -a, --all    alle davon zeigen"),
              ElementsAre());
  EXPECT_THAT(cleaned("Options are:\n  -a  all\n  -b  both", "Optionen:\n  -a  alle\n  -b  beide"),
              ElementsAre());
  EXPECT_THAT(cleaned("Name\tSize of it", "Name\tDessen Gr\u00f6\u00dfe"), ElementsAre());
}

TEST(CleanMessage, OtherPlaceholdersAreNoTranslation) {
  EXPECT_THAT(cleaned("cannot open %s", "kann %s nicht \u00f6ffnen"),
              ElementsAre("cannot open %s|kann %s nicht \u00f6ffnen"));
  EXPECT_THAT(cleaned("cannot open %s", "kann nicht \u00f6ffnen"), ElementsAre());
  EXPECT_THAT(cleaned("a <b>bold</b> word", "ein <i>fettes</i> Wort"), ElementsAre());
  EXPECT_THAT(cleaned("use --all here now", "hier --alle nehmen nun"), ElementsAre());
}

TEST(CleanMessage, WhatIsNoSentenceIsLeftOut) {
  EXPECT_THAT(cleaned("File", "Datei"), ElementsAre());
  EXPECT_THAT(cleaned("Same text here", "Same text here"), ElementsAre());
  EXPECT_THAT(cleaned("%d: %s: %x 17", "%d: %s: %x 18"), ElementsAre());
  EXPECT_THAT(cleaned("https://a.org/b https://c.org", "https://a.org/de http://c.de"),
              ElementsAre());
  EXPECT_THAT(cleaned("usage: tar [-x] [-f F] [-v]", "Aufruf: tar [-x] [-f D] [-v]"),
              ElementsAre());
  EXPECT_THAT(cleaned("translator credits here", "Hans und Grete"), ElementsAre());
  EXPECT_THAT(cleaned("a bell\x07 rings", "eine Glocke\x07 l\u00e4utet"), ElementsAre());
  EXPECT_THAT(cleaned("It works", ""), ElementsAre());
  std::string many, viele;
  for (int i = 0; i < 61; ++i) many += "word ", viele += "Wort ";
  EXPECT_THAT(cleaned(many, viele), ElementsAre());
  EXPECT_EQ(cleaned(many.substr(0, 300), viele.substr(0, 300)).size(), 1U);
  EXPECT_THAT(cleaned("Yes it is", viele.substr(0, 200)), ElementsAre());
  EXPECT_THAT(cleaned(std::string(5000, 'a') + " b", "c d"), ElementsAre());
}

TEST(CleanMessage, LettersIgnoreWhatNearCopiesDifferIn) {
  EXPECT_EQ(letters_of("Can't open \"%s\"!"), "cantopen");
  EXPECT_EQ(letters_of("can't open '%d'..."), "cantopen");
  EXPECT_EQ(letters_of("\u00c4b 12"), "\u00c4b");
}

}  // namespace
}  // namespace octet
