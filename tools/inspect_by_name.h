// `octet inspect` of a directory whose architecture octet does not execute.
#pragma once

namespace octet {

class SourceModel;

/// Is MODEL a directory with a config.json of such an architecture?
bool is_named_only(const SourceModel& model);

/// Prints its linear layers as told by name, and what is kept and why, by pattern of names.
void inspect_by_name(const SourceModel& model, bool json);

}  // namespace octet
