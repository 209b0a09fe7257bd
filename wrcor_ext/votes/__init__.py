"""Votes: several proxies rank candidates together, each with its own ranking or its own scale."""

from __future__ import annotations

from wrcor_ext.votes.counting import Outcome, vote
from wrcor_ext.votes.expression import NAMED, Member, Vote, is_vote, lookup, members, parse
from wrcor_ext.votes.methods import METHODS

__all__ = ["METHODS", "NAMED", "Member", "Outcome", "Vote", "is_vote", "lookup", "members", "parse", "vote"]
