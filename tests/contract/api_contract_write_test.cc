#include "tests/contract/api_contract.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_P(ApiContract, CreateGivesUidVersionGenerationAndDropsStatus) {
  Json wanted = set("a", Json::array({source()}));
  wanted["status"] = {{"links", 7}};
  const Json created = must(Method::kPost, kSets, wanted);
  EXPECT_FALSE(created["metadata"]["uid"].get<std::string>().empty());
  EXPECT_EQ(created["metadata"]["generation"], 1);
  EXPECT_FALSE(created["metadata"]["creationTimestamp"].get<std::string>().empty());
  EXPECT_FALSE(created.contains("status"));
  EXPECT_EQ(must(Method::kGet, set_path("a")), created);

  const Json stored = create_pod("a");
  EXPECT_EQ(stored["metadata"]["generation"], 1);
  EXPECT_EQ(stored["status"]["phase"], "Pending");
  EXPECT_EQ(stored["spec"]["restartPolicy"], "Always");
}

TEST_P(ApiContract, CreateOfWhatExistsIsAlreadyExists) {
  create_set("a");
  const KubeError error = refused(Method::kPost, kSets, set("a"));
  EXPECT_EQ(error.kind, KubeErrorKind::kAlreadyExists);
  EXPECT_EQ(error.http_status, 409);
  EXPECT_EQ(error.message, "nodelinksets.loglink.io \"" + set_name("a") + "\" already exists");
}

TEST_P(ApiContract, CreateRefusesAVersionABadNameAndAnAbsentNamespace) {
  Json versioned = set("a");
  versioned["metadata"]["resourceVersion"] = "5";
  EXPECT_EQ(refused(Method::kPost, kSets, versioned).http_status, 500);
  EXPECT_THAT(fields_of(refused(Method::kPost, pods(), pod("Bad_Name"))),
              ElementsAre("metadata.name"));
  const KubeError absent =
      refused(Method::kPost, "/api/v1/namespaces/no-such-space/pods", pod("a"));
  EXPECT_EQ(absent.kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(absent.message, "namespaces \"no-such-space\" not found");
  EXPECT_EQ(refused(Method::kPost, kSets, "{\"metadata\"").http_status, 400);
}

TEST_P(ApiContract, PutNeedsTheStoredVersion) {
  Json object = create_set("a");
  Json without = object;
  without["metadata"].erase("resourceVersion");
  const KubeError missing = refused(Method::kPut, set_path("a"), without);
  EXPECT_EQ(missing.kind, KubeErrorKind::kInvalid);
  EXPECT_THAT(fields_of(missing), ElementsAre("metadata.resourceVersion"));

  object["spec"]["sources"] = Json::array({source()});
  const Json written = must(Method::kPut, set_path("a"), object);
  const KubeError stale = refused(Method::kPut, set_path("a"), object);
  EXPECT_EQ(stale.kind, KubeErrorKind::kConflict);
  EXPECT_THAT(stale.message, HasSubstr("the object has been modified"));
  EXPECT_EQ(version_of(must(Method::kGet, set_path("a"))), version_of(written));
}

TEST_P(ApiContract, PutOfWhatIsAbsentOrOfAnotherName) {
  EXPECT_EQ(refused(Method::kPut, set_path("a"), set("a")).kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(refused(Method::kPut, set_path("b"), set("a")).http_status, 400);
  Json object = create_set("a");
  object["metadata"]["uid"] = "another";
  EXPECT_EQ(refused(Method::kPut, set_path("a"), object).kind, KubeErrorKind::kConflict);
}

TEST_P(ApiContract, AWriteThatChangesNothingKeepsTheVersion) {
  const Json object = create_set("a", Json::array({source()}));
  EXPECT_EQ(version_of(must(Method::kPut, set_path("a"), object)), version_of(object));
  // Without the fields that the server defaults it is still the same object.
  Json bare = object;
  bare["spec"]["sources"] = Json::array({source()});
  bare["metadata"].erase("managedFields");
  EXPECT_EQ(version_of(must(Method::kPut, set_path("a"), bare)), version_of(object));
  const Json status = {{"status", {{"links", 3}}}};
  const Json once = must(Method::kPatch, set_path("a") + "/status", status, kMergePatch);
  EXPECT_NE(version_of(once), version_of(object));
  const Json twice = must(Method::kPatch, set_path("a") + "/status", status, kMergePatch);
  EXPECT_EQ(version_of(twice), version_of(once));

  create_pod("a");
  const Json answer = {{"metadata", {{"annotations", {{"loglink/status", "Linked"}}}}}};
  const Json first = must(Method::kPatch, pods() + "/a/status", answer, kMergePatch);
  const Json second = must(Method::kPatch, pods() + "/a/status", answer, kMergePatch);
  EXPECT_EQ(version_of(first), version_of(second));
}

TEST_P(ApiContract, OnlySpecMovesTheGeneration) {
  Json object = create_set("a");
  object["metadata"]["labels"]["x"] = "1";
  object = must(Method::kPut, set_path("a"), object);
  EXPECT_EQ(object["metadata"]["generation"], 1);
  object["status"] = {{"links", 1}};
  object = must(Method::kPut, set_path("a") + "/status", object);
  EXPECT_EQ(object["metadata"]["generation"], 1);
  object["spec"]["sources"] = Json::array({source()});
  object = must(Method::kPut, set_path("a"), object);
  EXPECT_EQ(object["metadata"]["generation"], 2);
  EXPECT_EQ(object["status"]["links"], 1);
}

TEST_P(ApiContract, StatusAndSpecAreWrittenApart) {
  const Json object = create_set("a", Json::array({source()}));
  Json status = object;
  status.erase("spec");
  status["metadata"]["labels"] = {{"other", "label"}};
  status["status"] = {{"links", 4}, {"podCount", 1}, {"bogus", true}};
  const Json written = must(Method::kPut, set_path("a") + "/status", status);
  EXPECT_EQ(written["spec"], object["spec"]) << "spec may be left out";
  EXPECT_EQ(written["metadata"]["labels"], object["metadata"]["labels"]);
  EXPECT_EQ(written["status"], (Json{{"links", 4}, {"podCount", 1}}));
  EXPECT_EQ(refused(Method::kPut, set_path("a") + "/status", status).kind,
            KubeErrorKind::kConflict);

  Json main = written;
  main["status"] = {{"links", 99}};
  EXPECT_EQ(must(Method::kPut, set_path("a"), main)["status"]["links"], 4);
  EXPECT_EQ(must(Method::kPatch, set_path("a"), {{"status", {{"links", 99}}}},
                 kMergePatch)["status"]["links"],
            4);
}

TEST_P(ApiContract, TheSchemaNamesTheWrongField) {
  struct Case {
    const char* member;
    Json value;
    const char* field;
    const char* reason;
  };
  const Case cases[] = {
      {"path", "../x", "spec.sources[0].path", "FieldValueInvalid"},
      {"path", "/x", "spec.sources[0].path", "FieldValueInvalid"},
      {"path", "a//b", "spec.sources[0].path", "FieldValueInvalid"},
      {"path", "a/", "spec.sources[0].path", "FieldValueInvalid"},
      {"path", "a\nb", "spec.sources[0].path", "FieldValueInvalid"},
      {"path", nullptr, "spec.sources[0].path", "FieldValueRequired"},
      {"path", std::string(1025, 'a'), "spec.sources[0].path", "FieldValueTooLong"},
      {"namespace", "Shop", "spec.sources[0].namespace", "FieldValueInvalid"},
      {"pod", "", "spec.sources[0].pod", "FieldValueInvalid"},
      {"pod", 5, "spec.sources[0].pod", "FieldValueTypeInvalid"},
      {"root", "kubelet-pods", "spec.sources[0].path", "FieldValueInvalid"},
      {"maxDepth", 0, "spec.sources[0].maxDepth", "FieldValueInvalid"},
      {"maxDepth", 17, "spec.sources[0].maxDepth", "FieldValueInvalid"},
      {"maxDepth", "1", "spec.sources[0].maxDepth", "FieldValueTypeInvalid"},
      {"include", Json::array(), "spec.sources[0].include", "FieldValueInvalid"},
      {"include", Json(std::vector<std::string>(17, "a")), "spec.sources[0].include",
       "FieldValueTooMany"},
      {"include", {"a/b"}, "spec.sources[0].include[0]", "FieldValueInvalid"},
      {"since", "yesterday", "spec.sources[0].since", "FieldValueTypeInvalid"},
  };
  for (const Case& one : cases) {
    Json wrong = source();
    wrong[one.member] = one.value;
    const KubeError error = refused(Method::kPost, kSets, set("z", Json::array({wrong})));
    EXPECT_EQ(error.kind, KubeErrorKind::kInvalid) << one.member << " " << one.value;
    ASSERT_FALSE(error.causes.empty()) << one.member << " " << one.value;
    EXPECT_EQ(error.causes[0].field, one.field) << one.value;
    EXPECT_EQ(error.causes[0].reason, one.reason) << one.value;
  }
  Json empty = set("z");
  empty.erase("spec");
  EXPECT_THAT(fields_of(refused(Method::kPost, kSets, empty)), Contains("spec"));
}

TEST_P(ApiContract, TheSchemaSaysWhatIsWrongInItsOwnWords) {
  Json wrong = source();
  wrong["path"] = "../x";
  const KubeError error = refused(Method::kPost, kSets, set("z", Json::array({wrong})));
  EXPECT_EQ(error.message, "NodeLinkSet.loglink.io \"" + set_name("z") +
                               "\" is invalid: spec.sources[0].path: Invalid value: \"../x\": path "
                               "must not have a '..' component");
}

TEST_P(ApiContract, DefaultsAreSetAndUnknownFieldsDropped) {
  Json given = source();
  given["bogus"] = 1;
  given["exclude"] = nullptr;
  given["naming"] = nullptr;
  Json wanted = source();
  wanted["maxDepth"] = 1;
  wanted["naming"] = "logfile";
  wanted["plainNames"] = false;
  wanted["finished"] = false;
  EXPECT_EQ(create_set("a", Json::array({given}))["spec"]["sources"], Json::array({wanted}));
}

TEST_P(ApiContract, StatusIsChecked) {
  create_set("a");
  const Json bad_condition = Json::parse(R"({"status": {"conditions": [{"type": "Ready",
      "status": "Maybe", "lastTransitionTime": "2026-11-26T08:00:00Z", "reason": "X",
      "message": ""}]}})");
  const KubeError error =
      refused(Method::kPatch, set_path("a") + "/status", bad_condition, kMergePatch);
  EXPECT_EQ(error.kind, KubeErrorKind::kInvalid);
  EXPECT_EQ(error.causes.at(0).field, "status.conditions[0].status");
  EXPECT_EQ(error.causes.at(0).reason, "FieldValueNotSupported");
  const KubeError negative = refused(Method::kPatch, set_path("a") + "/status",
                                     {{"status", {{"links", -5}}}}, kMergePatch);
  EXPECT_THAT(fields_of(negative), ElementsAre("status.links"));
}

TEST_P(ApiContract, APatchOfPodStatusWritesAnnotationsAndStatusOnly) {
  const Json before = create_pod("a", {{"app", "web"}});
  const Json patch = {{"metadata",
                       {{"uid", before["metadata"]["uid"]},
                        {"annotations", {{"loglink/status", "Linked"}, {"loglink/links", "2"}}},
                        {"labels", {{"x", "1"}}},
                        {"ownerReferences", Json::array()}}},
                      {"spec", {{"nodeName", "elsewhere"}}},
                      {"status", {{"phase", "Running"}}}};
  const Json after = must(Method::kPatch, pods() + "/a/status", patch, kMergePatch);
  EXPECT_EQ(after["metadata"]["annotations"],
            (Json{{"loglink/status", "Linked"}, {"loglink/links", "2"}}));
  EXPECT_EQ(after["metadata"]["labels"], (Json{{"app", "web"}, {"x", "1"}}));
  EXPECT_EQ(after["spec"], before["spec"]);
  EXPECT_EQ(after["status"]["phase"], "Running");
  EXPECT_EQ(after["metadata"]["generation"], before["metadata"]["generation"]);
  const Json removal = {{"metadata", {{"annotations", {{"loglink/links", nullptr}}}}}};
  const Json removed = must(Method::kPatch, pods() + "/a/status", removal, kMergePatch);
  EXPECT_EQ(removed["metadata"]["annotations"], (Json{{"loglink/status", "Linked"}}));
}

TEST_P(ApiContract, APatchWithAnotherUidIsRefusedByField) {
  create_pod("a");
  const Json patch = {{"metadata", {{"uid", "00000000-0000-4000-8000-0c3f7f4d2a11"}}}};
  const KubeError error = refused(Method::kPatch, pods() + "/a/status", patch, kMergePatch);
  EXPECT_EQ(error.kind, KubeErrorKind::kInvalid);
  EXPECT_EQ(error.http_status, 422);
  EXPECT_THAT(fields_of(error), ElementsAre("metadata.uid", "metadata.uid"));
  EXPECT_EQ(error.message,
            "Pod \"a\" is invalid: metadata.uid: Invalid value: "
            "\"00000000-0000-4000-8000-0c3f7f4d2a11\": field is immutable");
}

TEST_P(ApiContract, APatchOfWhatIsAbsentOrStaleOrUnreadable) {
  EXPECT_EQ(refused(Method::kPatch, pods() + "/none/status", Json::object(), kMergePatch).kind,
            KubeErrorKind::kNotFound);
  create_pod("a");
  const Json stale = {{"metadata", {{"resourceVersion", "1"}, {"labels", {{"x", "1"}}}}}};
  EXPECT_EQ(refused(Method::kPatch, pods() + "/a/status", stale, kMergePatch).kind,
            KubeErrorKind::kConflict);
  EXPECT_EQ(refused(Method::kPatch, pods() + "/a", "{\"meta", kMergePatch).http_status, 400);
}

TEST_P(ApiContract, StrategicPatchesAreForBuiltInTypesOnly) {
  const std::string strategic = "application/strategic-merge-patch+json";
  create_set("a");
  create_pod("a");
  const Json labels = {{"metadata", {{"labels", {{"x", "1"}}}}}};
  EXPECT_EQ(refused(Method::kPatch, set_path("a"), labels, strategic).http_status, 415);
  EXPECT_EQ(must(Method::kPatch, pods() + "/a", labels, strategic)["metadata"]["labels"]["x"], "1");
}

TEST_P(ApiContract, APodsSpecDoesNotMove) {
  create_pod("a");
  const KubeError error =
      refused(Method::kPatch, pods() + "/a", {{"spec", {{"nodeName", "elsewhere"}}}}, kMergePatch);
  EXPECT_THAT(fields_of(error), ElementsAre("spec"));
}

TEST_P(ApiContract, LeaseTimesHaveSixDigits) {
  Json lease = {{"metadata", {{"name", "l"}}},
                {"spec",
                 {{"holderIdentity", "a"},
                  {"leaseDurationSeconds", 15},
                  {"renewTime", "2026-01-02T03:04:05Z"}}}};
  const KubeError error = refused(Method::kPost, leases(), lease);
  EXPECT_EQ(error.http_status, 400);
  EXPECT_THAT(error.message, HasSubstr("cannot be handled as a Lease: parsing time"));
  lease["spec"]["renewTime"] = "2026-01-02T03:04:05.123456Z";
  const Json stored = must(Method::kPost, leases(), lease);
  EXPECT_EQ(stored["spec"]["renewTime"], "2026-01-02T03:04:05.123456Z");
  EXPECT_FALSE(stored["metadata"].contains("generation"));
}

TEST_P(ApiContract, ALeaseIsCreatedByPutAndFencedByItsVersion) {
  const Json wanted = {{"metadata", {{"name", "l"}}}, {"spec", {{"holderIdentity", "a"}}}};
  Json lease = must(Method::kPut, leases() + "/l", wanted);
  EXPECT_THAT(fields_of(refused(Method::kPut, leases() + "/l", wanted)),
              ElementsAre("metadata.resourceVersion"));
  const Json old = lease;
  lease["spec"]["holderIdentity"] = "b";
  lease = must(Method::kPut, leases() + "/l", lease);
  const KubeError error = refused(Method::kPut, leases() + "/l", old);
  EXPECT_EQ(error.kind, KubeErrorKind::kConflict);
  lease["spec"]["leaseDurationSeconds"] = 0;
  EXPECT_THAT(fields_of(refused(Method::kPut, leases() + "/l", lease)),
              ElementsAre("spec.leaseDurationSeconds"));
}

TEST_P(ApiContract, EventsAreCheckedAndCounted) {
  must(Method::kPost, events(), event("e"));
  EXPECT_EQ(refused(Method::kPost, events(), event("e")).kind, KubeErrorKind::kAlreadyExists);
  Json wrong = event("f");
  wrong["eventTime"] = "2026-11-22T09:00:00Z";
  EXPECT_EQ(refused(Method::kPost, events(), wrong).http_status, 400);
  wrong = event("f");
  wrong["type"] = "Bad";
  EXPECT_THAT(fields_of(refused(Method::kPost, events(), wrong)), ElementsAre("type"));
  wrong = event("f");
  wrong["note"] = std::string(1025, 'x');
  EXPECT_EQ(refused(Method::kPost, events(), wrong).kind, KubeErrorKind::kInvalid);
  wrong = event("f");
  wrong["regarding"]["namespace"] = "";
  EXPECT_THAT(fields_of(refused(Method::kPost, events(), wrong)),
              ElementsAre("involvedObject.namespace"));

  const Json series = {
      {"series", {{"count", 2}, {"lastObservedTime", "2026-11-22T09:00:01.000000Z"}}}};
  EXPECT_EQ(must(Method::kPatch, events() + "/e", series, kMergePatch)["series"]["count"], 2);
  const Json other = {{"note", "another text"}};
  EXPECT_EQ(refused(Method::kPatch, events() + "/e", other, kMergePatch).kind,
            KubeErrorKind::kInvalid);
  // What kubectl describe reads.
  const Json old = must(Method::kGet, "/api/v1/namespaces/" + space() + "/events/e");
  EXPECT_EQ(old["involvedObject"]["name"], "w0");
  EXPECT_EQ(old["message"], event("e")["note"]);
}

TEST_P(ApiContract, DeleteAnswersWithWhatWasDeleted) {
  const Json object = create_set("a");
  const Json answer = must(Method::kDelete, set_path("a"));
  EXPECT_EQ(answer["status"], "Success");
  EXPECT_EQ(answer["details"]["uid"], object["metadata"]["uid"]);
  const KubeError error = refused(Method::kDelete, set_path("a"));
  EXPECT_EQ(error.kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(error.message, "nodelinksets.loglink.io \"" + set_name("a") + "\" not found");
}

TEST_P(ApiContract, DeleteHonoursTheUidItWasGiven) {
  create_set("a");
  EXPECT_EQ(refused(Method::kDelete, set_path("a"), {{"preconditions", {{"uid", "x"}}}}).kind,
            KubeErrorKind::kConflict);
  must(Method::kGet, set_path("a"));
}

TEST_P(ApiContract, APodIsMarkedBeforeItGoes) {
  create_pod("a");
  const Json marked = must(Method::kDelete, pods() + "/a");
  EXPECT_TRUE(marked["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(marked["metadata"]["deletionGracePeriodSeconds"], 30);
  EXPECT_EQ(marked["metadata"]["generation"], 2);
  const Json answer = {{"metadata", {{"annotations", {{"loglink/status", "Linked"}}}}}};
  const Json patched = must(Method::kPatch, pods() + "/a/status", answer, kMergePatch);
  EXPECT_TRUE(patched["metadata"].contains("deletionTimestamp"));
  must(Method::kDelete, pods() + "/a?gracePeriodSeconds=0");
  EXPECT_EQ(refused(Method::kGet, pods() + "/a").kind, KubeErrorKind::kNotFound);
  const Json again = create_pod("a");
  EXPECT_NE(again["metadata"]["uid"], marked["metadata"]["uid"]);
}

TEST_P(ApiContract, AnObjectWithoutItsOwnerIsCollected) {
  const Json node = must(Method::kPost, "/api/v1/nodes", {{"metadata", {{"name", space()}}}});
  Json owned = set("a");
  owned["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "v1"},
                                                       {"kind", "Node"},
                                                       {"name", space()},
                                                       {"uid", node["metadata"]["uid"]}}});
  must(Method::kPost, kSets, owned);
  create_set("b");
  must(Method::kDelete, "/api/v1/nodes/" + space());
  std::size_t removed = 0;
  const auto collect = [&](fakes::FakeKube& kube, Now now) { removed = kube.collect_garbage(now); };
  if (!api().script(collect)) GTEST_SKIP() << "no controller manager";
  EXPECT_EQ(removed, 1U);
  EXPECT_EQ(refused(Method::kGet, set_path("a")).kind, KubeErrorKind::kNotFound);
  must(Method::kGet, set_path("b"));
}

TEST_P(ApiContract, ALabelThatIsNoLabelIsRefused) {
  create_set("a");
  const KubeError error = refused(Method::kPatch, set_path("a"),
                                  {{"metadata", {{"labels", {{"a b", "c"}}}}}}, kMergePatch);
  EXPECT_EQ(error.kind, KubeErrorKind::kInvalid);
  EXPECT_THAT(fields_of(error), Contains("metadata.labels"));
}

}  // namespace
}  // namespace loglink
