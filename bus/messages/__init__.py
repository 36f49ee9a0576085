"""Every type that travels between warpcore's processes. A new message is one class in one of these modules."""

from warpcore.bus.messages.acquisition import *
from warpcore.bus.messages.alarms import *
from warpcore.bus.messages.audit import *
from warpcore.bus.messages.common import *
from warpcore.bus.messages.events import *
from warpcore.bus.messages.exports import *
from warpcore.bus.messages.files import *
from warpcore.bus.messages.items import *
from warpcore.bus.messages.metrics import *
from warpcore.bus.messages.parts import *
from warpcore.bus.messages.picks import *
from warpcore.bus.messages.pools import *
from warpcore.bus.messages.profiles import *
from warpcore.bus.messages.selection import *
from warpcore.bus.messages.state import *
from warpcore.bus.messages.tasks import *
from warpcore.bus.messages.tries import *
from warpcore.bus.messages.workers import *
