// What cpprestsdk's exceptions mean. It flattens error codes to one category, so that only the code
// and the message's beginning together tell what happened: a pure function with a table.
#pragma once

#include <string>

#include "lib/io/transport_error.h"

namespace loglink {

// `code` and `message` of a web::http::http_exception. `certificate` is why the server's
// certificate was refused, "" when it was not.
TransportTrouble cpprest_trouble(int code, const std::string& message,
                                 const std::string& certificate);

}  // namespace loglink
