#include "lib/io/http_connection.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(HttpConnection, SharesTheTimeToConnectAmongTheAddresses) {
  EXPECT_EQ(connect_share(seconds(5), 1), seconds(5)) << "an only address has all of it";
  EXPECT_EQ(connect_share(seconds(5), 2), milliseconds(2500));
  EXPECT_EQ(connect_share(seconds(10), 2), seconds(3)) << "no more than what shows it is dead";
  EXPECT_EQ(connect_share(seconds(7), 1), seconds(7)) << "the last has what is left";
  EXPECT_EQ(connect_share(seconds(10), 100), milliseconds(100));
  EXPECT_LE(connect_share(seconds(-1), 3), Duration(0)) << "too late already";
}

}  // namespace
}  // namespace loglink
