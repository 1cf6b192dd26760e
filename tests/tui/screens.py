"""Driving one dialog over an empty app."""

from __future__ import annotations

import asyncio

from plain_app import PlainApp
from waiting import handled

from explorer.tui.config import Config
from explorer.tui.screens.command_palette import KeyCommands
from explorer.tui.themes import THEMES, line_filters

HOSTILE = "R.L[/foo]\x1b[31m\u202e[@click=app.quit]x"


class Waiting:
    """Stands for no answer yet: None is one."""


class DialogApp(PlainApp):
    """An app that opens one dialog and keeps its answer."""

    COMMANDS = {KeyCommands}  # noqa: RUF012

    def __init__(self, dialog, theme):
        super().__init__()
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme
        self.dialog = dialog
        self.config = Config()
        self.answer = Waiting
        self.done = []

    def on_mount(self):
        if self.dialog is not None:
            self.push_screen(self.dialog, self.heard)

    def heard(self, answer):
        self.answer = answer

    def get_line_filters(self):
        return line_filters(self.theme, super().get_line_filters())

    def action_press(self, key_id):
        self.done.append(key_id)

    @property
    def lines(self):
        """What is on the screen, line by line."""
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self):
        return "\n".join(self.lines)


def drive(dialog, play, size=(60, 16), theme="pe-dark"):
    """Plays with an open dialog; returns the app."""

    async def run():
        app = DialogApp(dialog, theme)
        async with app.run_test(size=size) as pilot:
            _wait_after(pilot, "press", app)
            _wait_after(pilot, "click", app)
            await play(pilot, app)
        return app

    return asyncio.run(run())


def _wait_after(pilot, what, app):
    """Makes what the pilot does return only when the app has done all that it led to."""
    do = getattr(pilot, what)

    async def done(*arguments, **options):
        answer = await do(*arguments, **options)
        await handled(app)
        return answer

    setattr(pilot, what, done)


def answers_of(make, *ways, size=(60, 16)):
    """What dialogs answer to each way of keys; Waiting where one is still open after them."""
    answers = []

    async def play(pilot, app):
        for keys in ways:
            app.answer = Waiting
            await app.push_screen(make(), app.heard)
            await pilot.pause()
            await pilot.press(*keys)
            answers.append(app.answer)
            if app.answer is Waiting:
                await app.pop_screen()

    drive(None, play, size)
    return answers


def answer_of(dialog, *keys):
    """What one dialog answers to keys."""
    return answers_of(lambda: dialog, keys)[0]


def text_of(dialog, *keys, size=(60, 16), theme="pe-dark"):
    """What is on the screen after keys."""
    seen = []

    async def play(pilot, app):
        await pilot.press(*keys)
        seen.append(app.text)

    drive(dialog, play, size, theme)
    return seen[0]
