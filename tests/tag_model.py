"""A plain model of the tag preparation: one record, one tag at a time."""

import re
from collections import Counter
from dataclasses import dataclass

from dafre_fast.core.settings.tags import TagSteps

CATEGORIES = {0: "general", 3: "copyright", 4: "character"}
FLAGS = ("is_pending", "is_flagged", "is_deleted", "is_banned")
Lists = dict[int, list[str]]


@dataclass
class Post:
    id: int
    record: dict[str, object]
    lists: Lists


def organise(records: list[dict[str, object] | str]) -> tuple[list[Post], list[tuple[int, str]]]:
    """Good posts, and lines with what is wrong with them. A text is no record."""
    posts, bad, seen = [], [], set()
    for line, record in enumerate(records, 1):
        if isinstance(record, str):
            bad.append((line, "bad_json"))
            continue
        tags = record.get("tags")
        texts = {number: record.get(f"tag_string_{name}") for number, name in CATEGORIES.items()}
        if not re.fullmatch("0*[0-9]{1,18}", str(record.get("id", "")), re.ASCII):
            bad.append((line, "bad_id"))
        elif tags is None and all(text is None for text in texts.values()):
            bad.append((line, "no_tags"))
        elif int(str(record["id"])) in seen:
            bad.append((line, "duplicate_id"))
        else:
            seen.add(int(str(record["id"])))
            if tags is None:
                lists = {number: (text or "").split(" ") for number, text in texts.items()}
                lists = {number: [tag for tag in of_it if tag] for number, of_it in lists.items()}
            else:
                lists = {
                    number: [
                        tag["name"]
                        for tag in tags
                        if tag["category"] == str(number) and tag["name"]
                    ]
                    for number in CATEGORIES
                }
                if any(tag["category"] not in set("01345") for tag in tags):
                    bad.append((line, "unknown_category"))
                elif any(not tag["name"] for tag in tags):
                    bad.append((line, "unnamed_tag"))
            posts.append(Post(int(str(record["id"])), record, lists))
    return posts, bad


def without_symbols(tag: str) -> str:
    tag = re.sub(r"(\d{1})([girl|boy]+)", r"\g<1> \g<2>", tag)
    tag = re.sub(r"(6\+)(\w+)", r"\g<1> \g<2>", tag)
    return re.sub(r"[\\~\#\%\&\*\{\}\<\>\?\!\|\"\-\^\;\.\:\_\/]+", " ", tag)


def spaced(tags: list[str]) -> list[str]:
    return [new for tag in tags if (new := without_symbols(tag)).strip(" ")]


def length(tag: str) -> int:
    return len(tag) - tag.count(" ")


def counts(posts: list[Lists]) -> dict[int, tuple[int, int]]:
    found = {}
    for category in CATEGORIES:
        tags = [tag for lists in posts for tag in lists[category]]
        found[category] = (len(set(tags)), len(tags))
    return found


class Preparation:
    """Posts on their way: counts `{category: (unique, uses)}` by step, why ids are left out, and
    `(line, problem)` of what was set aside.
    """

    def __init__(self, records: list[dict[str, object] | str]) -> None:
        self.posts, self.bad = organise(records)
        self.funnel: list[tuple[str, int, dict[int, tuple[int, int]]]] = []
        self.left_out: dict[int, str] = {}

    def note(self, name: str) -> None:
        self.funnel.append((name, len(self.posts), counts([post.lists for post in self.posts])))

    def keep(self, name: str, reason: str, keeps) -> None:
        self.left_out |= {post.id: reason for post in self.posts if not keeps(post)}
        self.posts = [post for post in self.posts if keeps(post)]
        self.note(name)

    def change(self, name: str, new) -> None:
        for post in self.posts:
            post.lists = {number: new(number, tags) for number, tags in post.lists.items()}
        self.note(name)

    def choose(self, labels: set[int], steps: TagSteps) -> None:
        self.note("records")
        if steps.filter_flags:
            name = "not pending, flagged, deleted or banned"
            self.keep(name, "flagged", lambda post: not any(map(post.record.get, FLAGS)))
        if steps.filter_rating:
            name = f"rated {' or '.join(steps.ratings)}"
            self.keep(name, "rating", lambda post: post.record.get("rating") in steps.ratings)
        if steps.filter_empty:
            name = "tags in every category"
            self.keep(name, "empty_category", lambda post: all(post.lists.values()))
        if steps.labels_first:
            self.keep("images of the labels", "not_labelled", lambda post: post.id in labels)

    def clean(self, steps: TagSteps, profane: list[str]) -> None:
        if steps.remove_symbols:
            self.change("symbols removed", lambda _, tags: spaced(tags))
        least = steps.min_length
        if steps.return_less_than:
            name = f"fewer than {least} characters"
            self.change(name, lambda _, tags: [tag for tag in tags if length(tag) < least])
        elif steps.remove_short:
            name = f"{least} characters or more"
            self.change(name, lambda _, tags: [tag for tag in tags if length(tag) >= least])
        if steps.remove_rare:
            uses = {number: self.uses(number) for number in CATEGORIES}
            self.change(
                f"{steps.min_uses} uses or more",
                lambda number, tags: [tag for tag in tags if uses[number][tag] >= steps.min_uses],
            )
        if steps.remove_profanities:
            self.change(
                "no profanities",
                lambda number, tags: [
                    tag for tag in tags if number != 0 or not any(word in tag for word in profane)
                ],
            )
        if steps.fill_empty:
            self.change("empty lists filled", lambda _, tags: tags or ["unlabeled"])

    def uses(self, category: int) -> Counter[str]:
        return Counter(tag for post in self.posts for tag in post.lists[category])

    def lists(self) -> dict[int, Lists]:
        return {post.id: post.lists for post in self.posts}
