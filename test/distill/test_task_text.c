/* "text": what its corpora say, and what is wrong with them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frequencies.h"
#include "task_cases.h"

/* Seven entries that fit, so that one more is the first that is held out. */
#define SEVEN "a\tA\nb\tB\nc\tC\nd\tD\ne\tE\nf\tF\ng\tG\n"

/* The held-out document of a corpus of 8 entries, to be freed. */
static char *last_of_eight(const char *eighth) {
  char text[1000];
  snprintf(text, sizeof text, "%s%s", SEVEN, eighth);
  scratch s = scratch_with(text);
  task *t = task_made("text", s.file);
  ck_assert_int_eq(t->n_train, 7);
  ck_assert_int_eq(t->n_held_out, 1);
  random_stream r = {31, 0, 0};
  document d;
  t->make_document(t, 1, &NO_FLAWS, &r, &d);
  char *bytes = calloc((size_t)d.length + 1, 1);
  ck_assert_ptr_nonnull(bytes);
  for (int64_t i = 0; i < d.length; i++) bytes[i] = (char)(unsigned char)d.tokens[i];
  task_free(t);
  scratch_end(&s);
  return bytes;
}

static void check_entry(const char *line, const char *expected) {
  char *bytes = last_of_eight(line);
  ck_assert_str_eq(bytes, expected);
  free(bytes);
}

START_TEST(lines_become_documents) {
  check_entry("cat\ta small animal\n", "cat: a small animal\n");
  check_entry("cat\ta small animal", "cat: a small animal\n");         /* no newline at the end */
  check_entry("cat\ta small animal\r\n\r\n", "cat: a small animal\n"); /* CRLF */
  check_entry("\n \n\t \n\ncat\ta small animal\n \t\n", "cat: a small animal\n");
  check_entry(" big  cat \t a  small\tanimal \n", " big  cat :  a  small\tanimal \n");
  check_entry("caf\xc3\xa9\t\xff\xfe\n", "caf\xc3\xa9: \xff\xfe\n");
}
END_TEST

START_TEST(shape_is_stated) {
  scratch s = scratch_with(SEVEN "h\tH\n");
  task *t = task_made("text", s.file);
  ck_assert_int_eq(t->vocab, 256);
  ck_assert_int_eq(t->prompt, 24);
  ck_assert_int_eq(t->response, 72);
  ck_assert_int_eq(t->stop, 10);
  ck_assert_int_eq(t->slips, 0);
  ck_assert_int_eq(t->judged, 0);
  static const int64_t bytes[] = {0, 9, 10, 31, 32, 'a', '\\', '~', 127, 128, 255};
  char *text = task_printed(t, bytes, 11);
  ck_assert_str_eq(text, "\\x00\\x09\\x0a\\x1f a\\~\\x7f\\x80\\xff");
  free(text);
  task_free(t);
  scratch_end(&s);
}
END_TEST

/* A word of 22 bytes and a definition of 71 are the longest. */
START_TEST(long_entries_are_left_out) {
  char text[1000], longest[200], word[24], definition[73];
  memset(word, 'w', sizeof word);
  memset(definition, 'd', sizeof definition);
  snprintf(longest, sizeof longest, "%.22s\t%.71s\n", word, definition);
  snprintf(text, sizeof text, "%.23s\tshort\nshort\t%.72s\n%s", word, definition, longest);
  char *bytes = last_of_eight(text);
  ck_assert_uint_eq(strlen(bytes), 24 + 72);
  ck_assert(strncmp(bytes, word, 22) == 0 && strncmp(bytes + 24, definition, 71) == 0);
  free(bytes);

  char corpus[2000];
  snprintf(corpus, sizeof corpus, "%s%s", SEVEN, text);
  scratch s = scratch_with(corpus);
  task *t = task_made("text", s.file);
  ck_assert_ptr_nonnull(strstr(t->summary, "definitions of 8 words (2 too long and 0 repeated ones left out) from "));
  ck_assert_ptr_nonnull(strstr(t->summary, s.file));
  task_free(t);
  scratch_end(&s);
}
END_TEST

/* "g: " begins with the same bytes as "g: G: ", definition and all, but is another word. */
START_TEST(words_end_where_they_end) {
  scratch s = scratch_with("a\tA\nb\tB\nc\tC\nd\tD\ne\tE\nf\tF\ng\tG: G\ng: G\tH\n");
  task *t = task_made("text", s.file);
  ck_assert_int_eq(t->n_train + t->n_held_out, 8);
  task_free(t);
  scratch_end(&s);
}
END_TEST

START_TEST(repeated_words_keep_their_first_definition) {
  scratch s = scratch_with("c\tC\nb\tB\na\tA\nb\tBB\nd\tD\ne\tE\nb\tA\nab\tAB\ng\tG\na\tA\nh\tH\n");
  task *t = task_made("text", s.file);
  ck_assert_int_eq(t->n_train, 7);
  ck_assert_ptr_nonnull(strstr(t->summary, "(0 too long and 3 repeated ones left out)"));
  int64_t b = 0;
  random_stream r = {32, 0, 0};
  for (int i = 0; i < 1000; i++) {
    document d;
    t->make_document(t, 0, &NO_FLAWS, &r, &d);
    if (d.tokens[0] != 'b') continue;
    ck_assert_int_eq(d.length, 5);
    ck_assert_int_eq(d.tokens[3], 'B');
    b++;
  }
  ck_assert_int_gt(b, 0);
  document d;
  t->make_document(t, 1, &NO_FLAWS, &r, &d); /* the eighth of those that are left */
  ck_assert_int_eq(d.tokens[0], 'h');
  task_free(t);
  scratch_end(&s);
}
END_TEST

/* The number of an entry whose word is a number. */
static int64_t number_of(const int64_t *tokens) {
  int64_t number = 0;
  for (int i = 0; tokens[i] != ':'; i++) number = 10 * number + tokens[i] - '0';
  return number;
}

/* 48 entries: those that are 7 modulo 20 are held out. 10,000 prompts and documents of each kind. */
START_TEST(entries_are_split) {
  enum { ENTRIES = 48 };
  char text[2000] = "";
  for (int i = 0; i < ENTRIES; i++) snprintf(text + strlen(text), 40, "%d\tdefinition %d\n", i, i);
  scratch s = scratch_with(text);
  task *t = task_made("text", s.file);
  ck_assert_int_eq(t->n_train, 45);
  ck_assert_int_eq(t->n_held_out, 3);
  random_stream r = {33, 0, 0};
  for (int held_out = 0; held_out < 2; held_out++) {
    int64_t prompts[ENTRIES] = {0}, documents[ENTRIES] = {0}, n = 0;
    for (int i = 0; i < 10000; i++) {
      int64_t tokens[TASK_CONTEXT];
      document d;
      const int64_t length = t->make_prompt(t, held_out, &r, tokens), prompt = number_of(tokens);
      ck_assert_int_eq(length, prompt < 10 ? 3 : 4);
      prompts[prompt]++;
      t->make_document(t, held_out, &NO_FLAWS, &r, &d);
      documents[number_of(d.tokens)]++;
    }
    for (int i = 0; i < ENTRIES; i++) {
      if ((i % 20 == 7) == held_out) {
        prompts[n] = prompts[i];
        documents[n++] = documents[i];
      } else {
        ck_assert_int_eq(prompts[i] + documents[i], 0);
      }
    }
    assert_uniform("prompts", prompts, n);
    assert_uniform("documents", documents, n);
  }
  task_free(t);
  scratch_end(&s);
}
END_TEST

START_TEST(documents_have_no_flaws) {
  static const double rate[] = {1.0};
  static const flaws f = {1.0, 1.0, rate, 1};
  scratch s = scratch_with(SEVEN "word\tdefinition\n");
  task *t = task_made("text", s.file);
  random_stream r = {34, 0, 0};
  document d;
  t->make_document(t, 1, &f, &r, &d);
  ck_assert_int_eq(d.prompt, 6);
  char *text = task_printed(t, d.tokens, d.length);
  ck_assert_str_eq(text, "word: definition\\x0a");
  for (int64_t i = d.prompt; i < d.length; i++) ck_assert_int_eq(d.learn[i], 1);
  ck_assert(t->judge(t, d.tokens, d.length, d.prompt) == 0.0);
  free(text);
  task_free(t);
  scratch_end(&s);
}
END_TEST

/* ---- What is wrong ---- */

static void check_refused(const char *path, const char *text) {
  char why[256] = "", expected[1500];
  ck_assert_ptr_null(task_new("text", path, why));
  snprintf(expected, sizeof expected, "%s%s", path, text);
  ck_assert_str_eq(why, expected);
}

START_TEST(corpora_are_checked) {
  static const struct {
    const char *corpus, *text;
  } bad[] = {
      {SEVEN "cat a small animal\n", ":8: expected a word, a tab and a definition, got no tab"},
      {"cat", ":1: expected a word, a tab and a definition, got no tab"},
      {"cat\ta\n\n \n\ta small animal\n", ":4: expected a word before the tab, got none"},
      {"cat\n", ":1: expected a word, a tab and a definition, got no tab"},
      {"cat\t\n", ":1: expected a definition after the tab, got none"},
      {"cat\t\r\n", ":1: expected a definition after the tab, got none"},
      {SEVEN, ": expected 8 entries with a word up to 22 and a definition up to 71 bytes, got 7"},
      {SEVEN SEVEN, ": expected 8 entries with a word up to 22 and a definition up to 71 bytes, got 7"},
      {"", ": expected 8 entries with a word up to 22 and a definition up to 71 bytes, got 0"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    scratch s = scratch_with(bad[i].corpus);
    check_refused(s.file, bad[i].text);
    scratch_end(&s);
  }
  scratch s = scratch_with("");
  unlink(s.file);
  check_refused(s.file, ": No such file or directory");
  scratch_end(&s);
}
END_TEST

/* ---- WordNet ---- */

#define LICENSE "  1 This software | is not a synset; \"nor this\"  \n"

static const struct {
  const char *name, *text;
} WORDNET[] = {
    {"data.noun",
     LICENSE "00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 ~ 00002137 n 0000 | that which is; a thing  \n"
             "00001930 03 n 02 physical_entity 0 thing 1 001 @ 00001740 n 0000 | a thing; \"a stone\"  \n"
             "00001931 03 n 01 a_word_of_twenty-three_ 0 000 | left out  \n"},
    {"data.verb",
     "00001740 29 v 01 breathe 0 000 02 + 02 00 + 08 00 | draw air (\"in\" and out); \"Breathe!\"; \"No\"  \n"
     "00001741 29 v 01 entity 0 000 00 | a word that came before  \n"},
    {"data.adj", LICENSE "00001740 00 a 01 galore(ip) 0 000 | in great numbers  \n"
                         "00001741 00 s 0a able_bodied 1f 000 | fit: \"the fit\"\n"},
    {"data.adv",
     "00001740 02 r 01 a_cappella 0 000 | without | accompaniment;  \n"
     "00001741 02 r 01 one 0 000 | 1  \n00001742 02 r 01 two 0 000 | 2  \n00001743 02 r 01 three 0 000 | 3  \n"},
};

static scratch scratch_wordnet(void) {
  scratch s = scratch_with("");
  for (int i = 0; i < 4; i++) free(scratch_file(s.directory, WORDNET[i].name, WORDNET[i].text));
  return s;
}

START_TEST(synsets_become_documents) {
  static const char *const expected[] = {"entity: that which is; a thing\\x0a",
                                         "physical entity: a thing\\x0a",
                                         "breathe: draw air (\"in\" and out)\\x0a",
                                         "galore: in great numbers\\x0a",
                                         "able bodied: fit: \"the fit\"\\x0a",
                                         "a cappella: without | accompaniment;\\x0a",
                                         "one: 1\\x0a",
                                         "three: 3\\x0a"};
  scratch s = scratch_wordnet();
  task *t = task_made("text", s.directory);
  ck_assert_ptr_nonnull(strstr(t->summary, "definitions of 9 words (1 too long and 1 repeated ones left out)"));
  int seen[8] = {0};
  random_stream r = {35, 0, 0};
  for (int i = 0; i < 1000; i++) { /* 8 e^-125 to miss one */
    document d;
    t->make_document(t, 0, &NO_FLAWS, &r, &d);
    char *text = task_printed(t, d.tokens, d.length);
    int k = 0;
    while (k < 8 && strcmp(text, expected[k]) != 0) k++;
    ck_assert_msg(k < 8, "%s", text);
    seen[k] = 1;
    free(text);
  }
  for (int i = 0; i < 8; i++) ck_assert_msg(seen[i], "%s", expected[i]);
  document d;
  t->make_document(t, 1, &NO_FLAWS, &r, &d);
  ck_assert_int_eq(d.tokens[1], 'w'); /* two */
  task_free(t);
  scratch_end(&s);
}
END_TEST

START_TEST(synsets_are_checked) {
  static const char *const bad[] = {
      "00001740 03 n 01 entity 0 000 that which is\n",
      "entity\tthat which is\n",
      "00001740 03 n 01\n",
      "00001740 03 x 01 entity 0 000 | gloss\n",
      "0000174z 03 n 01 entity 0 000 | gloss\n",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char text[300];
    snprintf(text, sizeof text, "%s%s", LICENSE, bad[i]);
    scratch s = scratch_wordnet();
    free(scratch_file(s.directory, "data.adj", text));
    check_refused(s.directory, "/data.adj:2: expected a synset of wndb(5), got something else");
    scratch_end(&s);
  }
  scratch s = scratch_wordnet();
  free(scratch_file(s.directory, "data.adj", "00001740 03 a 01 able 0 000 |   \n"));
  check_refused(s.directory, "/data.adj:1: expected a gloss after the bar, got none");
  char *gone = scratch_file(s.directory, "data.adv", "");
  unlink(gone);
  free(gone);
  free(scratch_file(s.directory, "data.adj", WORDNET[2].text));
  check_refused(s.directory, "/data.adv: No such file or directory");
  scratch_end(&s);
}
END_TEST

/* Where the package is installed its glosses are read; where it is not, the text names it. */
START_TEST(default_corpus_is_wordnet) {
  char why[256] = "";
  int installed = 1;
  for (int i = 0; i < 4; i++) {
    char path[64];
    snprintf(path, sizeof path, "/usr/share/wordnet/%s", WORDNET[i].name);
    installed &= access(path, R_OK) == 0;
  }
  task *t = task_new("text", NULL, why);
  ck_assert_msg((t != NULL) == installed, "%s", why);
  if (!t) {
    ck_assert(strncmp(why, "/usr/share/wordnet", 18) == 0);
    ck_assert_ptr_nonnull(strstr(why, "Debian's package wordnet-base"));
    return;
  }
  ck_assert_int_gt(t->n_train, 10000);
  ck_assert_int_gt(t->n_held_out, 500);
  ck_assert_int_eq(t->n_held_out, (t->n_train + t->n_held_out + 12) / 20);
  random_stream r = {36, 0, 0};
  for (int i = 0; i < 5000; i++) {
    document d;
    t->make_document(t, i % 2, &NO_FLAWS, &r, &d);
    ck_assert(d.prompt >= 3 && d.prompt <= 24 && d.length - d.prompt >= 2 && d.length - d.prompt <= 72);
    ck_assert_int_eq(d.tokens[d.length - 1], '\n');
    for (int64_t n = 0; n < d.length - 1; n++) ck_assert(d.tokens[n] >= 32);
    ck_assert_int_eq(d.tokens[d.prompt - 1], ' ');
    ck_assert_int_eq(d.tokens[d.prompt - 2], ':');
  }
  task_free(t);
}
END_TEST

TCase *task_text_case(void) {
  TCase *c = tcase_create("text");
  tcase_add_test(c, shape_is_stated);
  tcase_add_test(c, lines_become_documents);
  tcase_add_test(c, long_entries_are_left_out);
  tcase_add_test(c, words_end_where_they_end);
  tcase_add_test(c, repeated_words_keep_their_first_definition);
  tcase_add_test(c, entries_are_split);
  tcase_add_test(c, documents_have_no_flaws);
  tcase_add_test(c, corpora_are_checked);
  tcase_add_test(c, synsets_become_documents);
  tcase_add_test(c, synsets_are_checked);
  tcase_add_test(c, default_corpus_is_wordnet);
  return c;
}
