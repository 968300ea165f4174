#include "core/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/error.h"

namespace octet {
namespace {

using Texts = std::vector<std::string>;

class JsonVisitor : public OptionVisitor {
 public:
  void field(const char* name, const char*, std::string& value) override { json[name] = value; }
  void field(const char* name, const char*, int64_t& value) override { json[name] = value; }
  void field(const char* name, const char*, double& value) override { json[name] = value; }
  void field(const char* name, const char*, bool& value) override { json[name] = value; }
  void field(const char* name, const char*, Texts& value) override { json[name] = value; }
  void positional(const char* name, const char*, std::string& value) override {
    json[name] = value;
  }
  void positional(const char* name, const char*, Texts& value) override { json[name] = value; }
  nlohmann::json json = nlohmann::json::object();
};

// Hands on one field, under the command's flag and help.
class OneField : public OptionVisitor {
 public:
  OneField(const ChosenField& chosen, OptionVisitor& visitor)
      : chosen_(chosen),
        flag_(chosen.flag.empty() ? chosen.name : chosen.flag),
        visitor_(visitor) {}
  void field(const char* name, const char* help, std::string& value) override {
    if (takes(name, help)) visitor_.field(flag_.c_str(), help_.c_str(), value);
  }
  void field(const char* name, const char* help, int64_t& value) override {
    if (takes(name, help)) visitor_.field(flag_.c_str(), help_.c_str(), value);
  }
  void field(const char* name, const char* help, double& value) override {
    if (takes(name, help)) visitor_.field(flag_.c_str(), help_.c_str(), value);
  }
  void field(const char* name, const char* help, bool& value) override {
    if (takes(name, help)) visitor_.field(flag_.c_str(), help_.c_str(), value);
  }
  void field(const char* name, const char* help, Texts& value) override {
    if (takes(name, help)) visitor_.field(flag_.c_str(), help_.c_str(), value);
  }
  void positional(const char* name, const char* help, std::string& value) override {
    if (takes(name, help)) visitor_.positional(flag_.c_str(), help_.c_str(), value);
  }
  void positional(const char* name, const char* help, Texts& value) override {
    if (takes(name, help)) visitor_.positional(flag_.c_str(), help_.c_str(), value);
  }
  void former_name(const char* former, const char* name) override {
    if (name == chosen_.name && flag_ == name) visitor_.former_name(former, name);
  }
  bool found() const { return found_; }

 private:
  bool takes(const char* name, const char* help) {
    if (name != chosen_.name) return false;
    found_ = true;
    const size_t place = chosen_.help.find("{}");
    if (chosen_.help.empty()) {
      help_ = help;
    } else if (place == std::string::npos) {
      help_ = chosen_.help;
    } else {
      help_ = fmt::format("{}{}{}", chosen_.help.substr(0, place), help,
                          chosen_.help.substr(place + 2));
    }
    return true;
  }

  const ChosenField& chosen_;
  const std::string flag_;
  std::string help_;
  OptionVisitor& visitor_;
  bool found_ = false;
};

class ArgumentVisitor : public OptionVisitor {
 public:
  explicit ArgumentVisitor(nlohmann::json defaults) : defaults_(std::move(defaults)) {}
  void field(const char* name, const char*, std::string& value) override {
    if (defaults_.at(name) != nlohmann::json(value)) flag(name, value);
  }
  void field(const char* name, const char*, int64_t& value) override {
    if (defaults_.at(name) != nlohmann::json(value)) flag(name, fmt::format("{}", value));
  }
  void field(const char* name, const char*, double& value) override {
    if (defaults_.at(name) != nlohmann::json(value)) flag(name, fmt::format("{}", value));
  }
  void field(const char* name, const char*, bool& value) override {
    if (value) flags.push_back(fmt::format("--{}", name));
  }
  void field(const char* name, const char*, Texts& value) override {
    for (const std::string& one : value) flag(name, one);
  }
  void positional(const char*, const char*, std::string& value) override {
    if (!value.empty()) operands.push_back(value);
  }
  void positional(const char*, const char*, Texts& value) override {
    operands.insert(operands.end(), value.begin(), value.end());
  }
  Texts operands, flags;

 private:
  // "--name VALUE"; a value that looks like a flag is joined to its name.
  void flag(const char* name, const std::string& value) {
    if (value.starts_with('-')) {
      flags.push_back(fmt::format("--{}={}", name, value));
    } else {
      flags.insert(flags.end(), {fmt::format("--{}", name), value});
    }
  }

  nlohmann::json defaults_;
};

// A visitor that only reads may visit const options: visit() is not const because parsing uses the
// same declaration.
void read(const Options& options, OptionVisitor& visitor) {
  const_cast<Options&>(options).visit(visitor);
}

std::string shell_quoted(const std::string& word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

void visit_chosen(Options& options, const std::vector<ChosenField>& fields,
                  OptionVisitor& visitor) {
  for (const ChosenField& chosen : fields) {
    OneField one(chosen, visitor);
    options.visit(one);
    if (!one.found()) throw std::logic_error("no option field named " + chosen.name);
  }
}

void require_option(const std::string& value, const std::string& flag, const std::string& what) {
  if (value.empty()) throw UsageError("no --" + flag, what, "pass --" + flag + " VALUE");
}

nlohmann::json to_json(const Options& options) {
  JsonVisitor visitor;
  read(options, visitor);
  return visitor.json;
}

std::vector<std::string> to_arguments(const Options& options, const Options& defaults) {
  ArgumentVisitor visitor(to_json(defaults));
  read(options, visitor);
  Texts arguments = std::move(visitor.operands);
  const bool dashed = std::any_of(arguments.begin(), arguments.end(),
                                  [](const std::string& one) { return one.starts_with('-'); });
  if (!dashed) {
    arguments.insert(arguments.end(), visitor.flags.begin(), visitor.flags.end());
    return arguments;
  }
  visitor.flags.emplace_back("--");
  visitor.flags.insert(visitor.flags.end(), arguments.begin(), arguments.end());
  return visitor.flags;
}

std::string shell_line(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line += ' ';
    line += shell_quoted(argument);
  }
  return line;
}

}  // namespace octet
