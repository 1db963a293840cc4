"""What people see in a browser: the chat, the privacy notice, the script for other sites."""
