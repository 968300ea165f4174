#include "core/options.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace octet {
namespace {
class JsonVisitor : public OptionVisitor {
 public:
  void field(const char* name, const char*, std::string& value) override { json[name] = value; }
  void field(const char* name, const char*, int64_t& value) override { json[name] = value; }
  void field(const char* name, const char*, double& value) override { json[name] = value; }
  void field(const char* name, const char*, bool& value) override { json[name] = value; }
  void field(const char* name, const char*, std::vector<std::string>& value) override {
    json[name] = value;
  }
  void positional(const char* name, const char*, std::string& value) override {
    json[name] = value;
  }
  void positional(const char* name, const char*, std::vector<std::string>& value) override {
    json[name] = value;
  }
  nlohmann::json json = nlohmann::json::object();
};
}  // namespace

void require_option(const std::string& value, const std::string& flag, const std::string& what) {
  if (value.empty()) throw UsageError("no --" + flag, what, "pass --" + flag + " VALUE");
}

nlohmann::json to_json(const Options& options) {
  JsonVisitor visitor;
  // The visitor only reads; visit() is non-const because parsing uses the same declaration.
  const_cast<Options&>(options).visit(visitor);
  return visitor.json;
}

}  // namespace octet
