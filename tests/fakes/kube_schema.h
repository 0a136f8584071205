// The structural schema of a CustomResourceDefinition, applied as the API server does: nulls and
// unknown fields dropped, defaults set, the rest checked. Internal to the fakes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/kube_error.h"
#include "tests/fakes/kube_json.h"

namespace loglink::fakes {

class StructuralSchema {
 public:
  // `definition` is the whole CustomResourceDefinition; its first version counts. An error names a
  // CEL rule that this fake cannot evaluate: such a rule must be added here when the CRD gains one.
  static Expected<StructuralSchema> of(const Json& definition);
  StructuralSchema(StructuralSchema&&) noexcept;
  StructuralSchema& operator=(StructuralSchema&&) noexcept;
  ~StructuralSchema();

  // Drops what the schema does not know and sets defaults. Returns the dropped fields.
  std::vector<std::string> normalise(Json& object) const;
  // Empty when the object is valid.
  [[nodiscard]] std::vector<StatusCause> validate(const Json& object) const;

  struct Implementation;

 private:
  explicit StructuralSchema(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace loglink::fakes
