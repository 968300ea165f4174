#include "datasets/gettext/gettext.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <unordered_set>

#include "core/error.h"
#include "datasets/gettext/clean_message.h"
#include "datasets/gettext/mo_file.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kSplitParts = 40;

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// Where gettext would look for a language, and a country's own form of it.
std::vector<std::string> relatives(const std::string& language) {
  const size_t country = language.find('_');
  if (country != std::string::npos) return {language, language.substr(0, country)};
  if (language.find('@') != std::string::npos) return {language};
  return {language, language + "_" + upper(language)};
}

bool is_word_list(const std::string& program) {
  return program.starts_with("iso_");
}

}  // namespace

std::vector<fs::path> catalogue_files(const std::string& directory, const std::string& language) {
  if (directory.ends_with(".mo")) return {directory};
  std::map<std::string, fs::path> programs;
  for (const std::string& name : relatives(language)) {
    const fs::path folder = fs::path(directory) / name / "LC_MESSAGES";
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing)) {
      const fs::path& file = entry.path();
      std::error_code broken;
      if (file.extension() == ".mo" && !is_word_list(file.filename().string()) &&
          fs::is_regular_file(file, broken)) {
        programs.emplace(file.stem().string(), file);
      }
    }
  }
  if (programs.empty()) {
    throw Error(fmt::format("no catalogue of \"{}\" in {}", language, directory),
                fmt::format("{}/{}/LC_MESSAGES/*.mo", directory, language),
                "install translated programs, or unpack them there with scripts/setup --demo");
  }
  std::vector<fs::path> files;
  for (const auto& [program, file] : programs) files.push_back(file);
  return files;
}

void read_catalogues(const DataSpec& spec, Split split, std::vector<SentencePair>& pairs,
                     Log* log) {
  const std::vector<fs::path> files = catalogue_files(spec.path, spec.language);
  std::unordered_set<std::string> seen;
  const size_t before = pairs.size();
  for (const fs::path& file : files) {
    const Catalogue catalogue = read_mo(file.string());
    if (log && !catalogue.unknown_charset.empty()) {
      log->warn(fmt::format("{} is passed over: its charset {} is not known", file.string(),
                            catalogue.unknown_charset));
    }
    if (log && catalogue.invalid > 0) {
      log->warn(fmt::format("{} messages of {} are passed over: not in its charset",
                            catalogue.invalid, file.string()));
    }
    for (const Message& message : catalogue.messages) {
      for (SentencePair& pair : clean_message(message.source, message.target)) {
        if (!seen.insert(pair.source).second) continue;
        if (split == Split::kAll || split_by_hash(letters_of(pair.source), kSplitParts) == split)
          pairs.push_back(std::move(pair));
      }
    }
  }
  if (seen.empty()) {
    throw Error(fmt::format("no sentence in the {} catalogues of {}", files.size(), spec.path),
                "messages of two words or more that are translated",
                "install more translated programs, or name another folder");
  }
  if (log) {
    log->info(fmt::format("{} sentence pairs ({}) of {} catalogues in {}", pairs.size() - before,
                          split_name(split), files.size(), spec.path));
  }
}

}  // namespace octet
