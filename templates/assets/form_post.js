// OAuth 2.0 Form Post Response Mode: the page holds one form, and it goes on its way at once.
document.forms[0].submit();
