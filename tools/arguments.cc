// From the options' one declaration to parsing, help and docs/cli.md.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "tools/command.h"

namespace octet {
namespace {

namespace po = boost::program_options;

struct Described {
  std::string name, help, fallback;
  bool positional, list, flag;
};

// Collects declarations both for Boost (flags only, operands hidden) and for help.
class Collector : public OptionVisitor {
 public:
  void field(const char* name, const char* help, std::string& value) override {
    flag(name, help, value, value.empty() ? "" : value);
  }
  void field(const char* name, const char* help, int64_t& value) override {
    flag(name, help, value, fmt::format("{}", value));
  }
  void field(const char* name, const char* help, double& value) override {
    flag(name, help, value, fmt::format("{}", value));
  }
  void field(const char* name, const char* help, bool& value) override {
    described.push_back({name, help, "", false, false, true});
    boost_options.add_options()(name, po::bool_switch(&value)->default_value(value), help);
  }
  void field(const char* name, const char* help, std::vector<std::string>& value) override {
    described.push_back({name, help, "", false, true, false});
    boost_options.add_options()(name, po::value(&value)->composing(), help);
  }
  void positional(const char* name, const char* help, std::string& value) override {
    described.push_back({name, help, "", true, false, false});
    boost_options.add_options()(name, po::value(&value), help);
    operands.add(name, 1);
  }
  void positional(const char* name, const char* help, std::vector<std::string>& value) override {
    described.push_back({name, help, "", true, true, false});
    boost_options.add_options()(name, po::value(&value), help);
    operands.add(name, -1);
  }
  void former_name(const char* former, const char* name) override { formers[former] = name; }

  po::options_description boost_options;
  po::positional_options_description operands;
  std::vector<Described> described;
  std::map<std::string, std::string> formers;  ///< today's name by a former one

 private:
  template <class T>
  void flag(const char* name, const char* help, T& value, const std::string& fallback) {
    described.push_back({name, help, fallback, false, false, false});
    boost_options.add_options()(name, po::value(&value), help);
  }
};

std::string usage_line(const Command& command, const Collector& own) {
  std::string line = "octet " + command.name();
  for (const Described& option : own.described) {
    if (option.positional) line += " " + option.name + (option.list ? "..." : "");
  }
  return line + " [options]";
}

constexpr size_t kIndent = 27, kWidth = 100;  // columns before a help text, and in all

// `text` as lines of at most kWidth columns, each of which starts behind kIndent.
std::string wrapped(const std::string& text) {
  std::string lines, word;
  size_t column = kIndent;
  for (std::istringstream words(text); words >> word; column += word.size()) {
    if (column > kIndent && column + 1 + word.size() > kWidth) {
      lines += fmt::format("\n{:{}}", "", kIndent);
      column = kIndent;
    } else if (column > kIndent) {
      lines += ' ';
      ++column;
    }
    lines += word;
  }
  return lines;
}

std::string describe(const Collector& collector) {
  std::string text;
  for (const Described& option : collector.described) {
    const std::string left = option.positional ? option.name
                             : option.flag     ? "--" + option.name
                                               : fmt::format("--{} VALUE", option.name);
    const std::string fallback =
        option.fallback.empty() ? "" : fmt::format(" (default {})", option.fallback);
    text += fmt::format("  {:<{}} {}\n", left, kIndent - 3, wrapped(option.help + fallback));
  }
  return text;
}

// The arguments with former names of flags replaced by today's.
std::vector<std::string> renamed(std::vector<std::string> arguments,
                                 const std::map<std::string, std::string>& formers) {
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::string_view flag = std::string_view(argument).substr(2);
    const std::string_view name = flag.substr(0, flag.find('='));
    const auto former = formers.find(std::string(name));
    if (former == formers.end()) continue;
    argument = fmt::format("--{}{}", former->second, flag.substr(name.size()));
  }
  return arguments;
}

}  // namespace

void CommonOptions::visit(OptionVisitor& v) {
  v.field("json", "print the result to stdout as JSON, and nothing else", json);
  v.field("threads", "CPU threads to use, 0 for one per core", threads);
  v.field("device", "where to run: cpu, cuda or cuda:N", device);
  v.field("quiet", "print only warnings and errors to stderr", quiet);
  v.field("help", "print this help and exit", help);
}

void parse_arguments(Command& command, CommonOptions& common,
                     const std::vector<std::string>& arguments) {
  Collector collector;
  command.options().visit(collector);
  const std::vector<Described> own = collector.described;
  common.visit(collector);
  const std::string remedy = fmt::format("see octet {} --help", command.name());
  po::variables_map values;
  try {
    using po::command_line_style::allow_guessing;
    using po::command_line_style::unix_style;
    po::store(po::command_line_parser(renamed(arguments, collector.formers))
                  .options(collector.boost_options)
                  .positional(collector.operands)
                  .style(unix_style & ~allow_guessing)
                  .run(),
              values);
    po::notify(values);
  } catch (const po::error& e) {
    throw UsageError(e.what(), usage_line(command, collector), remedy);
  }
  if (common.help) return;
  for (const Described& option : own) {
    if (option.positional && option.name.front() != '[' && values.count(option.name) == 0) {
      throw UsageError("no " + option.name, usage_line(command, collector), remedy);
    }
  }
}

std::string help_text(Command& command) {
  Collector own, shared;
  CommonOptions common;
  command.options().visit(own);
  common.visit(shared);
  std::string text =
      fmt::format("{}\n\n{}\n\n{}\nCommon options:\n{}\nExamples:\n", usage_line(command, own),
                  command.summary(), describe(own), describe(shared));
  for (const std::string& example : command.examples()) text += "  " + example + "\n";
  return text;
}

std::string overview_text() {
  std::string text =
      "octet: post-training quantization and calibration\n\nusage: octet COMMAND [options]\n";
  for (const CommandGroup& group : command_groups()) {
    text += fmt::format("\n{}:\n", group.task);
    for (const auto& command : group.commands) {
      text += fmt::format("  {:<12} {}\n", command->name(), command->summary());
    }
  }
  return text + "\n`octet COMMAND --help` shows options and examples.\n";
}

std::string reference_markdown() {
  std::string text =
      "# Command line\n\nWritten by `octet help --markdown` from the declarations of the options; "
      "a test compares the two.\n";
  for (const CommandGroup& group : command_groups()) {
    text += fmt::format("\n## {}\n", group.task);
    for (const auto& command : group.commands) {
      text += fmt::format("\n### octet {}\n\n```\n{}```\n", command->name(), help_text(*command));
    }
  }
  return text;
}

}  // namespace octet
