// `octet inspect` of a directory whose architecture octet does not execute.
#pragma once
#include <string>

namespace octet {

/// Is MODEL a directory with a config.json of such an architecture?
bool is_named_only(const std::string& model);

/// Prints its linear layers as told by name, and what is kept and why, by pattern of names.
void inspect_by_name(const std::string& model, bool json);

}  // namespace octet
