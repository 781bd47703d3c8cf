#include "distillation/run_config/digests.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

v1::DataSetConfig Data() {
  v1::DataSetConfig data_set;
  data_set.set_name("d");
  data_set.set_classes(10);
  data_set.mutable_npy()->mutable_train_examples()->set_path("/a");
  return data_set;
}

TEST(Digests, ADataSetIsItsContentNotItsPlaceWhereThatIsKnown) {
  v1::DataSetConfig here = Data(), there = Data();
  there.mutable_npy()->mutable_train_examples()->set_path("/b");
  EXPECT_NE(DataSetDigest(here), DataSetDigest(there));
  here.mutable_npy()->mutable_train_examples()->set_sha256("00");
  there.mutable_npy()->mutable_train_examples()->set_sha256("00");
  EXPECT_EQ(DataSetDigest(here), DataSetDigest(there));
  there.set_mean(0.5);
  EXPECT_NE(DataSetDigest(here), DataSetDigest(there));
}

TEST(Digests, AViewIsWhatItDoesNotHowManyThereAre) {
  v1::ViewSpec a, b;
  b.set_views_per_example(4);
  EXPECT_EQ(ViewSpecDigest(a), ViewSpecDigest(b));
  b.set_horizontal_flip(true);
  EXPECT_NE(ViewSpecDigest(a), ViewSpecDigest(b));
}

TEST(Digests, ARunIsItsConfigurationAndItsSeed) {
  v1::RunConfig run;
  for (const char* term : {"a", "b", "c", "d", "e", "f"}) {
    (*run.mutable_schedules()->mutable_term_weights())[term];
  }
  v1::RunConfig reversed;
  for (const char* term : {"f", "e", "d", "c", "b", "a"}) {
    (*reversed.mutable_schedules()->mutable_term_weights())[term];
  }
  EXPECT_EQ(RunConfigDigest(run, 1), RunConfigDigest(reversed, 1));
  EXPECT_NE(RunConfigDigest(run, 1), RunConfigDigest(run, 2));
  reversed.mutable_training()->set_steps(7);
  EXPECT_NE(RunConfigDigest(run, 1), RunConfigDigest(reversed, 1));
}

TEST(Digests, AreSha256InHex) {
  // SHA-256 of the empty string: an empty plan has no bytes.
  EXPECT_EQ(PlanDigest(v1::PlanConfig()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace distill
