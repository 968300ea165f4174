#include "core/options.h"

#include <nlohmann/json.hpp>

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
  void positional(const char* name, const char*, std::string& value) override { json[name] = value; }
  void positional(const char* name, const char*, std::vector<std::string>& value) override {
    json[name] = value;
  }
  nlohmann::json json = nlohmann::json::object();
};
}  // namespace

nlohmann::json to_json(const Options& options) {
  JsonVisitor visitor;
  // The visitor only reads; visit() is non-const because parsing uses the same declaration.
  const_cast<Options&>(options).visit(visitor);
  return visitor.json;
}

}  // namespace octet
