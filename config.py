"""pyinfra's own settings; pyinfra reads this file from the directory that it is started in."""

from roles.run import options

options.capture()
